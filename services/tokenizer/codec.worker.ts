// The thread that encodes and decodes. It holds the loaded tokenizers; the serving thread (codec.ts) says which.
import { AppError, invalidArgument } from '#lib/platform/errors.ts';
import { serveWorker, transferred } from '#lib/platform/worker-call.ts';
import { type Chat, createChat } from '#lib/text/chat.ts';
import type { ChatMessage } from '#lib/text/chat-message.ts';
import type { SpecialMode, StreamDecoder, StreamEncoder, Tokenizer } from '#lib/text/tokenizer.ts';
import { readTokenizerFiles, type TokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { describe } from './describe.ts';

/** What a stream may hold back for want of a place where the text may be cut, in UTF-16 units. */
const longestWaiting = 4 * 1024 * 1024;

interface Loaded {
  readonly tokenizer: Tokenizer;
  chat?: Chat;
}

const loaded = new Map<string, Loaded>();
const encoders = new Map<number, StreamEncoder>();
const decoders = new Map<number, StreamDecoder>();
let lastStream = 0;

const entryOf = (key: string): Loaded => existing(loaded.get(key), `tokenizer ${key}`);
const tokenizerOf = (key: string): Tokenizer => entryOf(key).tokenizer;
const encoderOf = (stream: number): StreamEncoder => existing(encoders.get(stream), `stream ${stream}`);
const decoderOf = (stream: number): StreamDecoder => existing(decoders.get(stream), `stream ${stream}`);

const chatOf = (entry: Loaded): Chat => {
  entry.chat ??= createChat(entry.tokenizer);
  return entry.chat;
};

const existing = <T>(found: T | undefined, what: string): T => {
  if (found === undefined) throw new AppError('INTERNAL', `${what} is not in this thread`);
  return found;
};

type Refusals = Record<string, (message: string) => AppError>;

/** Errors of the pure code, by name, that say what is wrong with a request. */
const ofText: Refusals = {
  SpecialTokenError: (message) => invalidArgument('text', message),
  UnknownCharacterError: (message) => invalidArgument('text', message),
};
const ofIds: Refusals = { RangeError: (message) => invalidArgument('ids', message) };
const ofMessages: Refusals = {
  ChatTemplateError: (message) => invalidArgument('messages', message),
  UnknownCharacterError: (message) => invalidArgument('messages', message),
};
const ofFiles: Refusals = { TokenizerFormatError: (message) => new AppError('FAILED_PRECONDITION', message) };

const refusing = <T>(refusals: Refusals, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    const { name, message } = error as Error;
    throw refusals[name]?.(message) ?? error;
  }
};

const sendIds = (ids: Int32Array) => transferred(ids, [ids.buffer as ArrayBuffer]);

const methods = {
  load: async ({ key, files }: { key: string; files: TokenizerFiles }) => {
    const tokenizer = refusing(ofFiles, () => readTokenizerFiles(files));
    loaded.set(key, { tokenizer });
    return describe(tokenizer, files['tokenizer.json']);
  },
  unload: async (key: string) => {
    loaded.delete(key);
  },

  encode: async ({ key, text, specials }: { key: string; text: string; specials: SpecialMode }) =>
    sendIds(refusing(ofText, () => tokenizerOf(key).encode(text, { specials }))),
  count: async ({ key, text }: { key: string; text: string }) =>
    refusing(ofText, () => tokenizerOf(key).encode(text)).length,
  decode: async ({ key, ids, skipSpecialTokens }: { key: string; ids: Int32Array; skipSpecialTokens: boolean }) =>
    refusing(ofIds, () => tokenizerOf(key).decode(ids, { skipSpecialTokens })),
  render: async (input: { key: string; messages: ChatMessage[]; addGenerationPrompt: boolean }) => {
    const entry = entryOf(input.key);
    if (!entry.tokenizer.chatTemplate) throw new AppError('FAILED_PRECONDITION', 'this tokenizer has no chat template');
    return refusing(ofMessages, () => chatOf(entry).render(input.messages, input));
  },

  openEncoder: async ({ key, specials }: { key: string; specials: SpecialMode }) => {
    encoders.set(++lastStream, tokenizerOf(key).createEncoder({ specials }));
    return lastStream;
  },
  pushText: async ({ stream, text }: { stream: number; text: string }) => {
    const encoder = encoderOf(stream);
    const ids = refusing(ofText, () => encoder.push(text));
    if (encoder.waitingLength() <= longestWaiting) return sendIds(ids);
    throw invalidArgument('text', `${longestWaiting} characters came without a place where the text may be cut`);
  },
  endText: async (stream: number) => sendIds(refusing(ofText, () => encoderOf(stream).end())),
  openDecoder: async ({ key, skipSpecialTokens }: { key: string; skipSpecialTokens: boolean }) => {
    decoders.set(++lastStream, tokenizerOf(key).createDecoder({ skipSpecialTokens }));
    return lastStream;
  },
  pushIds: async ({ stream, ids }: { stream: number; ids: Int32Array }) =>
    refusing(ofIds, () => decoderOf(stream).push(ids)),
  endIds: async (stream: number) => decoderOf(stream).end(),
  closeStream: async (stream: number) => {
    encoders.delete(stream);
    decoders.delete(stream);
  },
};

export type CodecMethods = typeof methods;

serveWorker(methods);
