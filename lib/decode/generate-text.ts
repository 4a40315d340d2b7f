// Generated tokens as text: whole characters only, nothing of a stop text, and with each piece of text the tokens behind it.
import type { Sequence } from './decoder.ts';
import { type FinishReason, type GeneratedToken, type GenerateOptions, generate } from './generate.ts';
import type { ScoredToken } from './logprobs.ts';
import { createStopFilter } from './stop-filter.ts';

/** Ids in chunks -> text, never half a character (lib/text's StreamDecoder). */
export interface TextDecoder {
  push(ids: ArrayLike<number>): string;
  end(): string;
}

export interface GenerateTextOptions extends GenerateOptions {
  readonly decoder: TextDecoder;
  /** Texts at which generation ends; they are not shown. */
  readonly stop?: readonly string[] | undefined;
}

export interface TextPiece {
  /** May be empty: a character, or what may become a stop text, is still being made. */
  readonly text: string;
  /** The tokens that began in this text. Neither the end token nor those of a stop text are among them. */
  readonly ids: readonly number[];
  readonly logprobs: readonly ScoredToken[];
  /** Tokens made so far, the end token included. */
  readonly madeTokens: number;
  /** On the last piece. */
  readonly finishReason?: FinishReason | undefined;
}

/** One piece for each token made. Throws as `generate` does. */
export async function* generateText(sequence: Sequence, options: GenerateTextOptions): AsyncGenerator<TextPiece> {
  const { decoder, stop = [], endIds } = options;
  const filter = createStopFilter(stop);
  const pending: { token: GeneratedToken; start: number }[] = [];
  const length = { decoded: 0, shown: 0 };
  const decode = (text: string): string => {
    length.decoded += text.length;
    return filter.push(text);
  };
  let madeTokens = 0;
  for await (const token of generate(sequence, options)) {
    madeTokens++;
    let text = '';
    if (!endIds?.has(token.id)) {
      pending.push({ token, start: length.decoded });
      text = decode(decoder.push([token.id]));
    }
    if (token.finishReason) text += decode(decoder.end()) + filter.end();
    length.shown += text.length;
    const isWhole = token.finishReason !== undefined && !filter.isStopped;
    const count = pending.findIndex(({ start }) => start >= length.shown);
    const behind = pending.splice(0, isWhole || count === -1 ? pending.length : count).map((each) => each.token);
    const finishReason = filter.isStopped ? 'stop' : token.finishReason;
    yield {
      text,
      ids: behind.map(({ id }) => id),
      logprobs: behind.flatMap(({ logprob }) => logprob ?? []),
      madeTokens,
      finishReason,
    };
    if (finishReason) return;
  }
}
