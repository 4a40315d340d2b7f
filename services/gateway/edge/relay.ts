// One call relayed as bytes, streams both ways: deadline, cancellation, metadata, back-pressure and status go along.
// On the wire a unary call is a stream of one message, so that one relay serves all four kinds.
import { once } from 'node:events';
import type { Client, ClientDuplexStream, Metadata, ServerDuplexStream, StatusObject } from '@grpc/grpc-js';
import { untilCertain } from '#lib/platform/grpc/messages.ts';

export type IncomingCall = ServerDuplexStream<Buffer, Buffer>;

export interface RelayOptions {
  call: IncomingCall;
  client: Client;
  path: string;
  /** Each request on its way; throwing ends the call before the service hears of it. */
  onRequest: (bytes: Buffer) => Promise<Buffer> | Buffer;
  onResponse: (bytes: Buffer) => Buffer;
  /** The caller has left. */
  signal: AbortSignal;
  /** Sent on in place of the caller's. */
  traceparent?: string | undefined;
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** Resolves with the service's status, once everything before it has been passed on; rejects with what `onRequest` or `onResponse` throws. */
export function relay(options: RelayOptions): Promise<StatusObject> {
  const { call, client, path, onRequest, onResponse, signal, traceparent } = options;
  return new Promise((resolve, reject) => {
    let upstream: ClientDuplexStream<Buffer, Buffer> | undefined;
    const fail = (error: unknown): void => {
      upstream?.cancel();
      reject(error);
    };
    const open = (): ClientDuplexStream<Buffer, Buffer> => {
      const metadata = forwarded(call.metadata);
      if (traceparent) metadata.set('traceparent', traceparent);
      const stream = client.makeBidiStreamRequest(path, asIs, asIs, metadata, { deadline: call.getDeadline() });
      passResponses({ from: stream, to: call, onResponse, done: resolve, fail });
      return stream;
    };
    signal.addEventListener('abort', () => fail(signal.reason), { once: true });
    const passRequests = async (): Promise<void> => {
      // Whatever happens, the call itself stays open for its status.
      for await (const bytes of call.iterator({ destroyOnReturn: false })) {
        const request = await onRequest(bytes);
        upstream ??= open();
        if (!upstream.write(request)) await once(upstream, 'drain');
      }
      // Half an upload must not pass for a whole one.
      await untilCertain();
      if (call.cancelled) return;
      upstream ??= open();
      upstream.end();
    };
    passRequests().catch(fail);
  });
}

interface PassOptions {
  from: ClientDuplexStream<Buffer, Buffer>;
  to: IncomingCall;
  onResponse: (bytes: Buffer) => Buffer;
  done: (status: StatusObject) => void;
  fail: (error: unknown) => void;
}

function passResponses({ from, to, onResponse, done, fail }: PassOptions): void {
  let status: StatusObject | undefined;
  let isDrained = false;
  const finish = (): void => {
    if (status && isDrained) done(status);
  };
  from.on('metadata', (metadata) => to.sendMetadata(forwarded(metadata)));
  from.on('data', (bytes: Buffer) => {
    try {
      if (to.write(onResponse(bytes))) return;
    } catch (error) {
      return fail(error);
    }
    from.pause();
    to.once('drain', () => from.resume());
  });
  // The status comes with its own event; without a listener the error would be thrown.
  from.on('error', () => undefined);
  from.on('end', () => {
    isDrained = true;
    finish();
  });
  from.on('status', (ended) => {
    status = ended;
    finish();
  });
}

// What belongs to one connection, and what nobody behind the edge has to know.
const ownToConnection = ['authorization', 'content-type', 'date', 'host', 'te', 'user-agent', 'connection'];

function forwarded(metadata: Metadata): Metadata {
  const copy = metadata.clone();
  for (const name of Object.keys(copy.getMap())) {
    if (ownToConnection.includes(name) || name.startsWith('grpc-')) copy.remove(name);
  }
  return copy;
}
