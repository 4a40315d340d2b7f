// What a handler is told of its call. Most handlers look at one or two of these, so each is made when it is asked for.
import { type ServerUnaryCall, Metadata as WireMetadata } from '@grpc/grpc-js';
import type { CallContext } from 'nice-grpc';
import { Metadata } from 'nice-grpc-common';

/** A call of any kind, as grpc-js gives it to a server. */
export type ServerCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'cancelled' | 'metadata' | 'getPeer' | 'sendMetadata'
> & {
  once(event: 'cancelled', listener: () => void): unknown;
};

export class ServedCall implements CallContext {
  readonly #call: ServerCall;
  #abort: AbortController | undefined;
  #metadata: Metadata | undefined;
  #header: Metadata | undefined;
  #trailer: Metadata | undefined;
  #isHeaderSent = false;
  #isOver = false;

  constructor(call: ServerCall) {
    this.#call = call;
    // Also when its deadline has passed, or its connection broke.
    call.once('cancelled', () => {
      if (!this.#isOver) this.#abort?.abort();
    });
  }

  get metadata(): Metadata {
    this.#metadata ??= fromWire(this.#call.metadata);
    return this.#metadata;
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#call.cancelled && !this.#isOver) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  get header(): Metadata {
    this.#header ??= Metadata();
    return this.#header;
  }

  get trailer(): Metadata {
    this.#trailer ??= Metadata();
    return this.#trailer;
  }

  sendHeader(): void {
    if (this.#isHeaderSent) return;
    this.#isHeaderSent = true;
    if (this.#header) this.#call.sendMetadata(toWire(this.#header));
  }

  get isCancelled(): boolean {
    return this.#call.cancelled;
  }

  /** The handler has ended: what happens to the call from now on does not concern it. Gives what is sent at the end. */
  end(): WireMetadata | undefined {
    this.#isOver = true;
    this.sendHeader();
    return this.#trailer && toWire(this.#trailer);
  }
}

export function toWire(metadata: Metadata): WireMetadata {
  const wire = new WireMetadata();
  for (const [key, values] of metadata) {
    for (const value of values) wire.add(key, typeof value === 'string' ? value : Buffer.from(value));
  }
  return wire;
}

export function fromWire(wire: WireMetadata): Metadata {
  const metadata = Metadata();
  for (const key of Object.keys(wire.getMap())) metadata.set(key, wire.get(key) as string[]);
  return metadata;
}
