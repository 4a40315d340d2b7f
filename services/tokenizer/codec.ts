// Encoding and decoding in a thread of its own, so that a long text never holds up the server. A bounded number of tokenizers is
// loaded there; the one that was used longest ago makes room. A thread that dies is replaced at the next call.
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import type { RenderedChat } from '#lib/text/chat.ts';
import type { ChatMessage } from '#lib/text/chat-message.ts';
import type { SpecialMode } from '#lib/text/tokenizer.ts';
import type { TokenizerFiles } from '#lib/text/tokenizer-files.ts';
import type { CodecMethods } from './codec.worker.ts';
import type { Description } from './describe.ts';
import { createLoadedTokenizers, type LoadedTokenizers } from './loaded-tokenizers.ts';
import type { Located } from './locate.ts';

/** A tokenizer, loaded, for as long as this is held. */
export interface Codec extends Disposable {
  readonly description: Description;
  encode(text: string, specials: SpecialMode): Promise<Int32Array>;
  count(text: string): Promise<number>;
  decode(ids: Int32Array, skipSpecialTokens: boolean): Promise<string>;
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): Promise<RenderedChat>;
  encodeStream(texts: AsyncIterable<string>, specials: SpecialMode): AsyncIterable<Int32Array>;
  decodeStream(ids: AsyncIterable<Int32Array>, skipSpecialTokens: boolean): AsyncIterable<string>;
}

export interface Codecs {
  /** Loads the tokenizer unless it is loaded; hold it with `using`. */
  open(located: Located, signal: AbortSignal): Promise<Codec>;
  close(): Promise<void>;
}

export interface CodecsOptions {
  objects: ObjectStore;
  log: Logger;
  maxLoaded: number;
}

interface Thread {
  worker: WorkerClient<CodecMethods>;
  loaded: LoadedTokenizers;
}

export const createCodecs = ({ objects, log, maxLoaded }: CodecsOptions): Codecs => {
  let running: Thread | undefined;

  const begin = (): Thread => {
    const worker = createWorker<CodecMethods>(new URL('./codec.worker.ts', import.meta.url));
    const loaded = createLoadedTokenizers({
      limit: maxLoaded,
      load: async (prefix) => worker.call('load', { key: prefix, files: await readFiles(objects, prefix) }),
      unload: (prefix) => void worker.call('unload', prefix).catch(() => undefined),
    });
    const thread = { worker, loaded };
    void worker.ended.then((error) => {
      if (running === thread) running = undefined;
      if (error) log.error({ error }, 'the codec thread ended; the next call starts another one');
    });
    return thread;
  };

  return {
    async open({ prefix }, signal) {
      running ??= begin();
      const { worker, loaded } = running;
      const lease = await loaded.take(prefix);
      return createCodec({ worker, key: prefix, lease, signal });
    },
    close: async () => running?.worker.close(),
  };
};

const readFiles = async (objects: ObjectStore, prefix: string): Promise<TokenizerFiles> => {
  const artifact = await openArtifact(objects, prefix);
  if (!artifact.has('tokenizer.json')) throw invalidArgument('tokenizer', `there is no tokenizer.json in ${prefix}`);
  return {
    'tokenizer.json': await artifact.readText('tokenizer.json'),
    'tokenizer_config.json': artifact.has('tokenizer_config.json')
      ? await artifact.readText('tokenizer_config.json')
      : undefined,
  };
};

interface CodecParts {
  worker: WorkerClient<CodecMethods>;
  key: string;
  lease: { description: Description } & Disposable;
  signal: AbortSignal;
}

const createCodec = ({ worker, key, lease, signal }: CodecParts): Codec => {
  async function* stream<I, O>(open: () => Promise<number>, items: AsyncIterable<I>, steps: StreamSteps<I, O>) {
    const id = await open();
    try {
      for await (const item of items) yield await steps.push(id, item);
      yield await steps.end(id);
    } finally {
      await worker.call('closeStream', id).catch(() => undefined); // the thread may be gone, and its streams with it
    }
  }
  return {
    description: lease.description,
    [Symbol.dispose]: () => lease[Symbol.dispose](),
    encode: (text, specials) => worker.call('encode', { key, text, specials }, { signal }),
    count: (text) => worker.call('count', { key, text }, { signal }),
    decode: (ids, skipSpecialTokens) => worker.call('decode', { key, ids, skipSpecialTokens }, { signal }),
    render: (messages, addGenerationPrompt) =>
      worker.call('render', { key, messages: [...messages], addGenerationPrompt }, { signal }),
    encodeStream: (texts, specials) =>
      stream(() => worker.call('openEncoder', { key, specials }, { signal }), texts, {
        push: (id, text) => worker.call('pushText', { stream: id, text }, { signal }),
        end: (id) => worker.call('endText', id, { signal }),
      }),
    decodeStream: (ids, skipSpecialTokens) =>
      stream(() => worker.call('openDecoder', { key, skipSpecialTokens }, { signal }), ids, {
        push: (id, some) => worker.call('pushIds', { stream: id, ids: some }, { signal }),
        end: (id) => worker.call('endIds', id, { signal }),
      }),
  };
};

interface StreamSteps<I, O> {
  push(stream: number, item: I): Promise<O>;
  end(stream: number): Promise<O>;
}
