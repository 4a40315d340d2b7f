// One method of a server: a handler that knows promises, async iterables and AppErrors, as grpc-js calls it.
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData, UntypedHandleCall } from '@grpc/grpc-js';
import { isAbortError } from '../errors.ts';
import { toServerStatus } from '../grpc-status.ts';
import { ServedCall, type ServerCall } from './call-context.ts';
import type { Method } from './definition.ts';
import { cancelled, MessageReader, writeMessages } from './messages.ts';
import type { ObserveCall } from './observe-calls.ts';

/** What a service implements: a message or a stream of them in, a message or a stream of them out. */
export type Handler = (request: unknown, context: ServedCall) => Promise<unknown> | AsyncIterable<unknown>;

type Stream = ServerDuplexStream<unknown, unknown>;
type Unary = ServerUnaryCall<unknown, unknown>;

export function serveMethod(method: Method, handler: Handler, observe: ObserveCall): UntypedHandleCall {
  const requestOf = (call: ServerCall): unknown =>
    method.requestStream ? new MessageReader(call as ServerCall & Stream) : (call as ServerCall & Unary).request;

  const unary = (call: ServerCall, answer: sendUnaryData<unknown>): void => {
    const context = new ServedCall(call);
    const observed = observe(call);
    const invoke = async () => (await handler(requestOf(call), context)) ?? nothing(method);
    observed.run(invoke).then(
      (response) => {
        const trailer = context.end();
        observed.end('OK');
        answer(null, response, trailer);
      },
      (error) => answer(failed(error, context, observed)),
    );
  };

  const stream = (call: Stream): void => {
    const context = new ServedCall(call);
    const observed = observe(call);
    const work = async (): Promise<void> => {
      const responses = handler(requestOf(call), context) as AsyncIterable<unknown>;
      await writeMessages(call, responses, { isOver: () => call.cancelled, before: () => context.sendHeader() });
      if (call.cancelled) throw cancelled();
    };
    observed.run(work).then(
      () => {
        const trailer = context.end();
        observed.end('OK');
        call.end(trailer);
      },
      (error) => call.emit('error', failed(error, context, observed)),
    );
  };
  return (method.responseStream ? stream : unary) as UntypedHandleCall;
}

/** An abort is nobody's failure; an AppError goes out as its code; anything else is a bug, INTERNAL, its stack in the log only. */
function failed(error: unknown, context: ServedCall, observed: ReturnType<ObserveCall>) {
  const wasCancelled = isAbortError(error) || context.isCancelled;
  const trailer = context.end();
  const { code, status } = toServerStatus(wasCancelled ? cancelled(error) : error, trailer);
  observed.end(code, wasCancelled ? undefined : error);
  return status;
}

function nothing({ path }: Method): never {
  throw new TypeError(`${path}: the handler returned no message`);
}
