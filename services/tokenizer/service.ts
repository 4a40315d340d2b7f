// The tokenizer's RPCs: check, find the tokenizer, let the codec's thread do the work.
import {
  type ChatMessage,
  SpecialTokens,
  type Tokenizer,
  type TokenizerServiceImplementation,
} from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { fromInt32Bytes, toInt32Bytes } from '#lib/contracts/int32.ts';
import { check, type Problem } from '#lib/platform/check.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { SpecialMode } from '#lib/text/tokenizer.ts';
import type { Codecs } from './codec.ts';
import { toMessage } from './describe.ts';
import { firstAndRest } from './first-and-rest.ts';
import type { Locate } from './locate.ts';
import type { Registry, StoredTokenizer } from './registry.ts';
import type { Training } from './training.ts';

export interface TokenizerDependencies {
  registry: Registry;
  /** Resolves when the built-in tokenizers are registered. */
  builtIns: Promise<void>;
  codecs: Codecs;
  locate: Locate;
  train: Training;
}

/** Longest text of one message, in UTF-16 units, so that its ids fit an answer; longer texts are streamed. */
const longestText = 4 * 1024 * 1024;

export const createTokenizerService = (dependencies: TokenizerDependencies): TokenizerServiceImplementation => {
  const { registry, builtIns, codecs, locate, train } = dependencies;
  const open = async (ref: Parameters<Locate>[0], signal: AbortSignal) =>
    codecs.open(await locate(ref, signal), signal);

  return {
    encode: async ({ tokenizer, text, specialTokens }, { signal }) => {
      check({ text: textProblem(text), special_tokens: modeProblem(specialTokens) });
      using codec = await open(tokenizer, signal);
      return { ids: toInt32Bytes(await codec.encode(text, modeOf(specialTokens))) };
    },

    async *encodeStream(requests, { signal }) {
      const { first, all } = await firstAndRest(requests);
      check({ special_tokens: modeProblem(first.specialTokens) });
      using codec = await open(first.tokenizer, signal);
      const texts = mapEach(all, ({ text }) => text);
      for await (const ids of codec.encodeStream(texts, modeOf(first.specialTokens))) {
        if (ids.length > 0) yield { ids: toInt32Bytes(ids) };
      }
    },

    decode: async ({ tokenizer, ids, skipSpecialTokens }, { signal }) => {
      const wanted = idsOf(ids);
      using codec = await open(tokenizer, signal);
      return { text: await codec.decode(wanted, skipSpecialTokens) };
    },

    async *decodeStream(requests, { signal }) {
      const { first, all } = await firstAndRest(requests);
      using codec = await open(first.tokenizer, signal);
      const ids = mapEach(all, (request) => idsOf(request.ids));
      for await (const text of codec.decodeStream(ids, first.skipSpecialTokens)) if (text !== '') yield { text };
    },

    countTokens: async ({ tokenizer, text }, { signal }) => {
      check({ text: textProblem(text) });
      using codec = await open(tokenizer, signal);
      return { count: await codec.count(text) };
    },

    renderChat: async ({ tokenizer, messages, addGenerationPrompt }, { signal }) => {
      check({
        messages: messages.length === 0 && 'must not be empty',
        ...Object.fromEntries(messages.map((message, i) => [`messages[${i}].role`, roleProblem(message)])),
      });
      using codec = await open(tokenizer, signal);
      const { prompt, ids } = await codec.render(messages, addGenerationPrompt);
      return { prompt, ids: toInt32Bytes(ids) };
    },

    async *trainTokenizer(request, { signal }) {
      for await (const event of train(request, signal)) {
        if (event.kind === 'progress') yield { event: { $case: 'progress', value: event.progress } };
        else yield { event: { $case: 'tokenizer', value: storedMessage(event.tokenizer) } };
      }
    },

    getTokenizer: async ({ tokenizer }, { signal }) => {
      const located = await locate(tokenizer, signal);
      if (located.description) return { tokenizer: toMessage(located.ref, located.description, located.createTime) };
      using codec = await codecs.open(located, signal);
      return { tokenizer: toMessage(located.ref, codec.description, located.createTime) };
    },

    listTokenizers: async () => {
      await builtIns;
      return { tokenizers: (await registry.list()).map(storedMessage) };
    },
  };
};

const storedMessage = ({ ref, description, createTime }: StoredTokenizer): Tokenizer =>
  toMessage(ref, description, createTime);

const modes: Record<number, SpecialMode> = {
  [SpecialTokens.SPECIAL_TOKENS_UNSPECIFIED]: 'text',
  [SpecialTokens.SPECIAL_TOKENS_TEXT]: 'text',
  [SpecialTokens.SPECIAL_TOKENS_PARSE]: 'parse',
  [SpecialTokens.SPECIAL_TOKENS_REJECT]: 'reject',
};

const modeOf = (mode: SpecialTokens): SpecialMode => modes[mode] as SpecialMode;

const modeProblem = (mode: SpecialTokens): Problem => !(mode in modes) && `${mode} is no value of SpecialTokens`;

const textProblem = (text: string): Problem =>
  text.length > longestText &&
  `must have at most ${longestText} characters in one message; it has ${text.length} (EncodeStream takes any length)`;

const roles = ['system', 'user', 'assistant'];

const roleProblem = ({ role }: ChatMessage): Problem =>
  !roles.includes(role) && `must be one of ${roles.join(', ')}; it is ${JSON.stringify(role)}`;

const idsOf = (bytes: Uint8Array): Int32Array => {
  try {
    return fromInt32Bytes(bytes);
  } catch (error) {
    throw invalidArgument('ids', (error as RangeError).message);
  }
};

async function* mapEach<I, O>(items: AsyncIterable<I>, map: (item: I) => O): AsyncGenerator<O> {
  for await (const item of items) yield map(item);
}
