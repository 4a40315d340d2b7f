// Messages of a gRPC stream as an async iterable, and back, with as few promises a message as there can be.
import type { Readable, Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

export const cancelled = (cause?: unknown): Error =>
  new DOMException('The operation was aborted', { name: 'AbortError', cause });

/** Read ahead before the sender is held back. */
const mostQueued = 64;

/** Iterates over what a stream brings. Its end comes after everything that came before it, also where that is an error. */
export class MessageReader<T> implements AsyncIterableIterator<T> {
  readonly #stream: Readable;
  readonly #onReturn: (() => void) | undefined;
  #queue: T[] = [];
  #at = 0;
  #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void } | undefined;
  #end: { error?: unknown } | undefined;

  /** `onReturn`: the reader leaves before the end. */
  constructor(stream: Readable, onReturn?: () => void) {
    this.#stream = stream;
    this.#onReturn = onReturn;
    stream.on('data', this.#add);
    stream.on('error', (error: unknown) => this.fail(error));
    stream.once('end', () => void this.#finishUnlessCancelled());
    stream.once('close', () => void this.#finishUnlessCancelled());
    stream.once('cancelled', () => this.fail(cancelled()));
  }

  #add = (message: T): void => {
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: message });
      return;
    }
    this.#queue.push(message);
    if (this.#queue.length - this.#at >= mostQueued) this.#stream.pause();
  };

  async #finishUnlessCancelled(): Promise<void> {
    if ('cancelled' in this.#stream) await untilCertain();
    this.#finish({});
  }

  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { error?: unknown }): void {
    if (this.#end) return;
    this.#stream.off('data', this.#add); // which would hear of what is read here, too
    for (let rest = this.#stream.read(); rest !== null; rest = this.#stream.read()) this.#queue.push(rest);
    this.#end = end;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.next().then(waiting.resolve, waiting.reject);
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#at < this.#queue.length) return Promise.resolve({ done: false, value: this.#take() });
    if (!this.#end) return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
    const { error } = this.#end;
    this.#end = {};
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  #take(): T {
    const message = this.#queue[this.#at++] as T;
    if (this.#at < this.#queue.length) return message;
    this.#queue = [];
    this.#at = 0;
    if (this.#stream.isPaused()) this.#stream.resume();
    return message;
  }

  async return(): Promise<IteratorResult<T>> {
    if (!this.#end) this.#onReturn?.();
    this.#finish({});
    this.#queue = [];
    this.#at = 0;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * A caller who gives up in the middle looks, for a turn or two of the event loop, like one who has sent everything: a server hears `end`
 * first and `cancelled` later. After this it knows which of the two it is.
 */
export async function untilCertain(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

type CallStream = Writable & { readonly cancelled?: boolean };

export interface WriteOptions {
  /** Nobody reads any more. */
  isOver: () => boolean;
  /** Called before each message. */
  before?: () => void;
}

/** Writes what comes, no faster than it is taken. Ends early where nobody reads any more, and lets go of the messages that were to come. */
export async function writeMessages(
  stream: CallStream,
  messages: AsyncIterable<unknown>,
  { isOver, before }: WriteOptions,
): Promise<void> {
  for await (const message of messages) {
    if (isOver()) return;
    before?.();
    if (!stream.write(message)) await room(stream, isOver);
  }
}

/** Resolves when the stream takes more, or none any more. */
const room = (stream: CallStream, isOver: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    if (isOver()) return resolve();
    const done = (): void => {
      for (const event of endings) stream.off(event, done);
      resolve();
    };
    for (const event of endings) stream.on(event, done);
  });

const endings = ['drain', 'cancelled', 'close', 'error', 'status'];
