// Calls into a worker thread that runs a .ts file of ours: typed methods, streams with back-pressure, progress, abort, errors that stay AppErrors.
//
//   // sum.worker.ts                                          // service.ts
//   const methods = {                                         const worker = createWorker<SumMethods>(new URL('./sum.worker.ts', import.meta.url));
//     sum: async (xs: number[], { signal }: WorkerCall) => …   await worker.call('sum', [1, 2], { signal });
//     async *count(to: number) { yield … },                   for await (const n of worker.stream('count', 3)) …
//   };                                                        await worker.close();
//   serveWorker(methods);
//   export type SumMethods = typeof methods;
import { parentPort, type Transferable, Worker, type WorkerOptions } from 'node:worker_threads';
import { AppError } from './errors.ts';
import { createQueue, type Queue } from './queue.ts';
import { fromWire, toWire, type WireError } from './wire-error.ts';

/** What a method in the worker is given beside its input. */
export interface WorkerCall {
  /** Aborts when the caller does. The thread hears of it only while it is not computing: await something now and then. */
  signal: AbortSignal;
  progress(value: unknown): void;
}

// biome-ignore lint/suspicious/noExplicitAny: a method's own types are kept; `any` only lets every method match.
type Method = (input: any, call: WorkerCall) => unknown;
export type WorkerMethods = Record<string, Method>;

type Input<M extends Method> = Parameters<M>[0];
type Result<M extends Method> = Awaited<ReturnType<M>> extends Transferred<infer T> ? T : Awaited<ReturnType<M>>;
type Item<M extends Method> =
  ReturnType<M> extends AsyncIterable<infer T> ? (T extends Transferred<infer U> ? U : T) : never;

export interface CallOptions {
  signal?: AbortSignal;
  /** Buffers that move to the worker instead of being copied. */
  transfer?: Transferable[];
  onProgress?: (value: unknown) => void;
}

export interface WorkerClient<M extends WorkerMethods> {
  call<K extends keyof M & string>(method: K, input: Input<M[K]>, options?: CallOptions): Promise<Result<M[K]>>;
  /** The worker stays at most a few items ahead; leaving the loop stops it. */
  stream<K extends keyof M & string>(method: K, input: Input<M[K]>, options?: CallOptions): AsyncIterable<Item<M[K]>>;
  /** Resolves when the thread has ended, with the reason if nobody closed it. */
  readonly ended: Promise<AppError | undefined>;
  /** Ends the thread; calls under way fail with CANCELLED. */
  close(): Promise<void>;
}

/** A result whose buffers move to the caller instead of being copied: `return transferred(logits, [logits.buffer])`. */
export class Transferred<T> {
  readonly value: T;
  readonly list: Transferable[];
  constructor(value: T, list: Transferable[]) {
    this.value = value;
    this.list = list;
  }
}
export const transferred = <T>(value: T, list: Transferable[]): Transferred<T> => new Transferred(value, list);

type Outgoing =
  | { kind: 'call'; id: number; method: string; input: unknown }
  | { kind: 'pull'; id: number }
  | { kind: 'abort'; id: number };
type Incoming =
  | { kind: 'item' | 'progress'; id: number; value: unknown }
  | { kind: 'done'; id: number; value: unknown }
  | { kind: 'failed'; id: number; error: WireError };

const itemsAhead = 4;

/** Starts the thread. It keeps the process alive until `close`. */
export function createWorker<M extends WorkerMethods>(url: URL, options: WorkerOptions = {}): WorkerClient<M> {
  const worker = new Worker(url, options);
  const calls = new Map<number, { queue: Queue<Incoming>; onProgress?: ((value: unknown) => void) | undefined }>();
  const name = url.pathname.split('/').at(-1);
  let failure: AppError | undefined;
  let lastId = 0;

  worker.on('message', (message: Incoming) => {
    const call = calls.get(message.id);
    if (message.kind === 'progress') call?.onProgress?.(message.value);
    else call?.queue.push(message);
  });
  const fail = (error: AppError): void => {
    failure ??= error;
    for (const { queue } of calls.values()) queue.fail(failure);
    calls.clear();
  };
  worker.on('error', (error: NodeJS.ErrnoException) => {
    const code = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'RESOURCE_EXHAUSTED' : 'INTERNAL';
    fail(new AppError(code, `the worker ${name} failed: ${error.message}`, { cause: error }));
  });
  let closing = false;
  const ended = new Promise<AppError | undefined>((resolve) => {
    worker.on('exit', (code) => {
      fail(
        closing
          ? new AppError('CANCELLED', `the worker ${name} was closed`)
          : new AppError('INTERNAL', `the worker ${name} ended with code ${code}`),
      );
      resolve(closing ? undefined : failure);
    });
  });

  /** The messages that answer one call, until it is done; leaving early, or the abort of `signal`, aborts it in the worker. */
  async function* answers(method: string, input: unknown, { signal, transfer, onProgress }: CallOptions) {
    signal?.throwIfAborted();
    if (failure) throw failure;
    const id = ++lastId;
    const queue = createQueue<Incoming>();
    const send = (message: Outgoing, list?: Transferable[]) => worker.postMessage(message, list);
    const abort = (): void => queue.fail(signal?.reason);
    calls.set(id, { queue, onProgress });
    signal?.addEventListener('abort', abort, { once: true });
    let isDone = false;
    try {
      send({ kind: 'call', id, method, input }, transfer);
      for await (const message of queue) {
        isDone = message.kind === 'done' || message.kind === 'failed';
        if (message.kind === 'failed') throw fromWire(message.error);
        yield message;
        if (isDone) return;
        send({ kind: 'pull', id });
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      calls.delete(id);
      if (!isDone && !failure) send({ kind: 'abort', id });
    }
  }

  return {
    async call(method, input, callOptions = {}) {
      for await (const message of answers(method, input, callOptions)) {
        if (message.kind === 'done') return message.value as never;
      }
      throw new AppError('INTERNAL', `${name}: ${method} is a stream`);
    },
    async *stream(method, input, callOptions = {}) {
      for await (const message of answers(method, input, callOptions)) {
        if (message.kind === 'item') yield message.value as never;
      }
    },
    ended,
    async close() {
      closing = true;
      await worker.terminate();
      await ended;
    },
  };
}

/** In the worker's file: answers calls. Several calls may be under way at once; queue inside where that must not be. */
export function serveWorker(methods: WorkerMethods): void {
  const port = parentPort;
  if (!port) throw new Error('serveWorker: this is not a worker thread');
  const running = new Map<number, { abort: AbortController; pull: () => void }>();
  const send = (message: Incoming, list?: readonly Transferable[]) => port.postMessage(message, list);

  const run = async (id: number, method: Method | undefined, name: string, input: unknown): Promise<void> => {
    const abort = new AbortController();
    const credit = createCredit(abort.signal);
    running.set(id, { abort, pull: credit.add });
    try {
      if (!method) throw new AppError('UNIMPLEMENTED', `the worker has no method ${name}`);
      const call = { signal: abort.signal, progress: (value: unknown) => send({ kind: 'progress', id, value }) };
      const result = method(input, call);
      if (isAsyncIterable(result)) {
        for await (const item of result) {
          const { value, list } = opened(item);
          send({ kind: 'item', id, value }, list);
          await credit.take();
          if (abort.signal.aborted) break;
        }
        send({ kind: 'done', id, value: undefined });
      } else {
        const { value, list } = opened(await result);
        send({ kind: 'done', id, value }, list);
      }
    } catch (error) {
      send({ kind: 'failed', id, error: toWire(error) });
    } finally {
      running.delete(id);
    }
  };

  port.on('message', (message: Outgoing) => {
    if (message.kind === 'pull') running.get(message.id)?.pull();
    else if (message.kind === 'abort') running.get(message.id)?.abort.abort();
    else void run(message.id, methods[message.method], message.method, message.input);
  });
}

/** Counts how many items may still be sent; `take` waits for one, or for the abort. */
function createCredit(signal: AbortSignal) {
  let left = itemsAhead;
  let release = (): void => undefined;
  signal.addEventListener('abort', () => release(), { once: true });
  return {
    add: () => {
      left++;
      release();
    },
    take: async () => {
      left--;
      while (left <= 0 && !signal.aborted) await new Promise<void>((resolve) => (release = resolve));
    },
  };
}

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

const opened = (value: unknown): { value: unknown; list: readonly Transferable[] } =>
  value instanceof Transferred ? value : { value, list: [] };
