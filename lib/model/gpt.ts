// GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks of causal attention and a feed-forward part, the output
// tied to the input embedding. Linear weights lie as [in, out] (Hugging Face's Conv1D). B rows, T tokens, C = nEmbd, H heads.
import { causalAttention } from '#lib/tensor/attention.ts';
import { embedding, gelu, layerNorm, linear } from '#lib/tensor/ops.ts';
import { tf } from '#lib/tensor/tfjs.ts';
import type { GptConfig } from './config.ts';
import { createDropout, mergeHeads, type Noise, splitHeads } from './layers.ts';
import type { ParamSpec, Params } from './param-spec.ts';

/** nanoGPT's initialisation: 0.02, and what writes into the residual stream divided by sqrt(2 nLayer). */
export function gptParams(config: GptConfig): ParamSpec[] {
  const { vocabSize, contextSize, nLayer, nEmbd, nInner, initStd: std, tied, labels, bias } = config;
  const residualStd = std / Math.sqrt(2 * nLayer);
  const withBias = (name: string, weight: ParamSpec, size: number): ParamSpec[] =>
    bias ? [weight, { name: `${name}.bias`, shape: [size], fill: 0 }] : [weight];
  const norm = (name: string) => withBias(name, { name: `${name}.weight`, shape: [nEmbd], fill: 1 }, nEmbd);
  const linear = (name: string, [inner, outer]: [number, number], spread = std) =>
    withBias(name, { name: `${name}.weight`, shape: [inner, outer], std: spread }, outer);
  const block = (name: string) => [
    ...norm(`${name}.ln_1`),
    ...linear(`${name}.attn.c_attn`, [nEmbd, 3 * nEmbd]),
    ...linear(`${name}.attn.c_proj`, [nEmbd, nEmbd], residualStd),
    ...norm(`${name}.ln_2`),
    ...linear(`${name}.mlp.c_fc`, [nEmbd, nInner]),
    ...linear(`${name}.mlp.c_proj`, [nInner, nEmbd], residualStd),
  ];
  return [
    { name: 'wte.weight', shape: [vocabSize, nEmbd], std },
    { name: 'wpe.weight', shape: [contextSize, nEmbd], std },
    ...Array.from({ length: nLayer }, (_, i) => block(`h.${i}`)).flat(),
    ...norm('ln_f'),
    ...(tied || labels ? [] : [{ name: 'lm_head.weight', shape: [vocabSize, nEmbd], std }]),
  ];
}

/** Token ids [B, T] to states [B*T, C] after the final norm. */
export function gptForward(config: GptConfig, params: Params, ids: tf.Tensor2D, noise?: Noise): tf.Tensor2D {
  const { nLayer, nHead, nEmbd, normEpsilon: epsilon } = config;
  const [B, T] = ids.shape;
  const drop = createDropout(noise);
  const weight = <W extends tf.Tensor>(name: string) => params[`${name}.weight`] as W;
  const bias = (name: string) => params[`${name}.bias`] as tf.Tensor1D | undefined; // none where the configuration has none
  const norm = (x: tf.Tensor2D, name: string) => layerNorm(x, { weight: weight(name), bias: bias(name), epsilon });
  const project = (x: tf.Tensor2D, name: string) => linear(x, weight(name), { bias: bias(name) });

  const attention = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const qkv = tf.split(project(x, `${block}.attn.c_attn`), 3, 1); // [B*T, 3C] -> 3 x [B*T, C]
    const [q, k, v] = qkv.map((part) => splitHeads(part, { B, T, H: nHead })) as [Heads, Heads, Heads]; // 3 x [B, H, T, D]
    const y = causalAttention({ q, k, v, dropout: drop.next() }); // [B, H, T, D]
    return project(mergeHeads(y), `${block}.attn.c_proj`); // [B*T, C]
  };
  const feedForward = (x: tf.Tensor2D, block: string): tf.Tensor2D =>
    project(gelu(project(x, `${block}.mlp.c_fc`)), `${block}.mlp.c_proj`); // [B*T, C] -> [B*T, 4C] -> [B*T, C]

  const tokens = embedding(weight('wte'), ids).reshape([B, T, nEmbd]);
  const embedded = drop(tokens.add(weight('wpe').slice(0, T))); // [B, T, C] + [T, C]
  let x = embedded.reshape<tf.Tensor2D>([B * T, nEmbd]);
  for (let i = 0; i < nLayer; i++) {
    x = x.add(drop(attention(norm(x, `h.${i}.ln_1`), `h.${i}`)));
    x = x.add(drop(feedForward(norm(x, `h.${i}.ln_2`), `h.${i}`)));
  }
  return norm(x, 'ln_f');
}

type Heads = tf.Tensor4D;
