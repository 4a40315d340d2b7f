// Log-probabilities in OpenAI's two forms: parallel arrays beside a completion, a list of tokens beside a chat.
import { isUtf8 } from 'node:buffer';

interface Token {
  token: Uint8Array;
  logprob: number;
}

/** A prompt's first token has no probability, as nothing comes before it. */
export interface ScoredToken {
  token: Uint8Array;
  logprob: number | null;
  alternatives: Token[] | null;
}

/** Part of a character is no text: OpenAI writes its bytes. */
const textOf = (token: Uint8Array): string =>
  isUtf8(token)
    ? Buffer.from(token).toString('utf8')
    : `bytes:${Array.from(token, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;

const toRecord = (tokens: readonly Token[]): Record<string, number> =>
  Object.fromEntries(tokens.map(({ token, logprob }) => [textOf(token), logprob]));

/** For the tokens of one text, in one go or piece by piece: offsets go on where the last piece ended. `most` alternatives each. */
export function createLogprobs(most: number) {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  let length = 0;
  return (tokens: readonly ScoredToken[]) => ({
    tokens: tokens.map(({ token }) => textOf(token)),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ alternatives }) => alternatives && toRecord(alternatives.slice(0, most))),
    text_offset: tokens.map(({ token }) => {
      const start = length;
      length += utf8.decode(token, { stream: true }).length;
      return start;
    }),
  });
}

const toToken = ({ token, logprob }: Token) => ({
  token: Buffer.from(token).toString('utf8'),
  logprob,
  bytes: [...token],
});

/** Chat's form, which has bytes beside each text. */
export const toChatLogprobs = (tokens: readonly (Token & { alternatives: Token[] })[], alternatives: number) => ({
  content: tokens.map((token) => ({
    ...toToken(token),
    top_logprobs: token.alternatives.slice(0, alternatives).map(toToken),
  })),
  refusal: null,
});
