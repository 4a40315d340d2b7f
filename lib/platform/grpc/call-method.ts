// One method of a client, as promises and async iterables over grpc-js.
import type { Metadata, ServiceError } from '@grpc/grpc-js';
import type { Method } from './definition.ts';
import { MessageReader, writeMessages } from './messages.ts';
import { type CallerOptions, type Options, type Started, startCall } from './start-call.ts';

/** A message in, a message out. */
export function callUnary(method: Method, caller: CallerOptions, request: unknown, options: Options): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    const started = startCall(method, caller, options);
    const answered = (error: ServiceError | null, response: unknown): void => {
      const failure = started.end(error ?? undefined);
      if (error) reject(failure);
      else resolve(response);
    };
    const { metadata } = started;
    started.attach(
      caller.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, answered),
    );
  });
}

/** A stream in, a message out. The server may answer before it has read everything. */
export async function callClientStream(
  method: Method,
  caller: CallerOptions,
  requests: AsyncIterable<unknown>,
  options: Options,
): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = method;
  const started = startCall(method, caller, options);
  const answer = Promise.withResolvers<unknown>();
  let isOver = false;
  const call = caller.client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    started.metadata,
    (error, response) => {
      isOver = true;
      if (error) answer.reject(error);
      else answer.resolve(response);
    },
  );
  started.attach(call);
  const sending = writeMessages(call, requests, { isOver: () => isOver }).then(
    () => void call.end(),
    (error) => {
      // What the caller's own messages failed with is what the call failed with.
      answer.reject(error);
      call.cancel();
    },
  );
  try {
    const response = await answer.promise;
    void sending;
    started.end();
    return response;
  } catch (error) {
    throw started.end(error);
  }
}

/** A message or a stream in, a stream out. It begins when it is read, and ends with whoever reads it. */
export function callStream(
  method: Method,
  caller: CallerOptions,
  request: unknown,
  options: Options,
): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: () => openStream(method, caller, request, options) };
}

function openStream(method: Method, caller: CallerOptions, request: unknown, options: Options): AsyncIterator<unknown> {
  let reader: MessageReader<unknown> | undefined;
  let started: Started | undefined;
  const open = (): MessageReader<unknown> => {
    started = startCall(method, caller, options);
    const { call, stream } = startStream(method, caller, request, started.metadata, (error) => reader?.fail(error));
    started.attach(call);
    return new MessageReader(stream, () => call.cancel());
  };
  const end = <T>(result: IteratorResult<T>): IteratorResult<T> => {
    if (result.done) started?.end();
    return result;
  };
  const fail = (error: unknown): never => {
    throw started ? started.end(error) : error;
  };
  return {
    next() {
      try {
        reader ??= open();
      } catch (error) {
        return Promise.reject(error);
      }
      return reader.next().then(end, fail);
    },
    async return() {
      const result = (await reader?.return()) ?? { done: true as const, value: undefined };
      return end(result);
    },
  };
}

function startStream(
  { path, requestStream, requestSerialize, responseDeserialize }: Method,
  { client }: CallerOptions,
  request: unknown,
  metadata: Metadata,
  onFailure: (error: unknown) => void,
) {
  if (!requestStream) {
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
    return { call: stream, stream };
  }
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  let isOver = false;
  stream.on('status', () => {
    isOver = true;
  });
  void writeMessages(stream, request as AsyncIterable<unknown>, { isOver: () => isOver }).then(
    () => void stream.end(),
    (error) => {
      onFailure(error);
      stream.cancel();
    },
  );
  return { call: stream, stream };
}
