// What a request asks about, as token ids: encoded, and checked field by field.
import { ContextError } from '#lib/decode/decoder.ts';
import type { ModelConfig } from '#lib/model/config.ts';
import { AppError, invalidArgument } from '#lib/platform/errors.ts';
import { ChatTemplateError, createChat } from '#lib/text/chat.ts';
import { type Tokenizer, UnknownCharacterError } from '#lib/text/tokenizer.ts';

export type Prompt =
  | { kind: 'text'; text: string }
  | { kind: 'ids'; ids: Int32Array }
  | { kind: 'chat'; messages: { role: string; content: string }[] };

export interface Vocabulary {
  tokenizer: Tokenizer;
  config: ModelConfig;
}

/** The prompt's ids, which leave room for at least one more. */
export function toIds(prompt: Prompt, { tokenizer, config }: Vocabulary): Int32Array {
  const field = prompt.kind === 'chat' ? 'messages' : prompt.kind;
  const ids = naming(field, () => promptIds(prompt, tokenizer));
  if (!ids.length) throw invalidArgument(field, 'must have at least one token');
  if (ids.length >= config.contextSize) {
    const { message } = new ContextError('the prompt', { tokens: ids.length, ...config });
    throw invalidArgument(field, `${message}, and the answer needs room as well: shorten it`);
  }
  const wrong = ids.find((id) => id < 0 || id >= config.vocabSize);
  if (wrong === undefined) return ids;
  throw invalidArgument(field, `token id ${wrong} is not in the vocabulary of ${config.vocabSize}`);
}

function promptIds(prompt: Prompt, tokenizer: Tokenizer): Int32Array {
  switch (prompt.kind) {
    case 'text':
      return tokenizer.encode(prompt.text);
    case 'ids':
      return prompt.ids;
    case 'chat':
      return createChat(tokenizer).render(prompt.messages, { addGenerationPrompt: true }).ids;
    default:
      return prompt satisfies never;
  }
}

/** A text to classify. */
export function toRow(text: string, { tokenizer }: Vocabulary, index: number): Int32Array {
  const ids = naming(`texts[${index}]`, () => tokenizer.encode(text));
  if (!ids.length) throw invalidArgument(`texts[${index}]`, 'must have at least one token');
  return ids;
}

export interface Pair {
  context: Int32Array;
  continuation: Int32Array;
}

/** Without a context the first token has no probability: the others are scored after it, and of a single token nothing is. */
export function toPair(
  item: { context: string; continuation: string },
  { tokenizer, config }: Vocabulary,
  index: number,
): Pair {
  const encode = (name: 'context' | 'continuation') =>
    naming(`items[${index}].${name}`, () => tokenizer.encode(item[name]));
  const [context, continuation] = [encode('context'), encode('continuation')];
  if (!continuation.length) throw invalidArgument(`items[${index}].continuation`, 'must have at least one token');
  if (continuation.length > config.contextSize) {
    const { message } = new ContextError('the continuation', { tokens: continuation.length, ...config });
    throw invalidArgument(`items[${index}].continuation`, `${message}: score it in parts`);
  }
  return context.length
    ? { context, continuation }
    : { context: continuation.subarray(0, 1), continuation: continuation.subarray(1) };
}

/** What the texts make impossible is told of the field that they came in. */
function naming<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof ChatTemplateError || cause instanceof UnknownCharacterError)) throw cause;
    const violations = [{ field, description: cause.message }];
    throw new AppError('INVALID_ARGUMENT', `${field}: ${cause.message}`, { violations, cause });
  }
}
