// One set of tensor names for each model type, whatever class the file was saved from: GPT-2's without `transformer.`, Llama's with
// `model.`; buffers that are no weights and copies of tied weights are left out.

import { ModelFormatError } from './byte-source.ts';

interface NameRule {
  /** Saved by some classes and not by others; taken off, or put on. */
  readonly toOwn: (name: string) => string;
  /** Causal masks, rotary frequencies: computed, never read. */
  readonly buffer: RegExp;
  /** The default of Hugging Face's configuration class for `tie_word_embeddings`. */
  readonly tied: boolean;
}

const isHead = (name: string) => /^(lm_head|score)\./.test(name);

const rules: Readonly<Record<string, NameRule>> = {
  gpt2: {
    toOwn: (name) => name.replace(/^transformer\./, ''),
    buffer: /^h\.\d+\.attn\.(bias|masked_bias)$/,
    tied: true,
  },
  llama: {
    toOwn: (name) => (name.startsWith('model.') || isHead(name) ? name : `model.${name}`),
    buffer: /\.rotary_emb\.inv_freq$/,
    tied: false,
  },
};

/** A tensor's own name for the type of `config`, or undefined where it is not to be read. Throws ModelFormatError for another type. */
export function namingFor(config: Readonly<Record<string, unknown>>): (name: string) => string | undefined {
  const type = String(config.model_type);
  const rule = Object.hasOwn(rules, type) ? rules[type] : undefined;
  if (!rule)
    throw new ModelFormatError(`config.json: model_type "${type}" is not one of ${Object.keys(rules).join(', ')}`);
  const tied = config.tie_word_embeddings ?? rule.tied;
  return (name) => {
    const own = rule.toOwn(name);
    return rule.buffer.test(own) || (tied && own === 'lm_head.weight') ? undefined : own;
  };
}
