// What every kind of call has on the client's side: deadline, cancellation, metadata, a span, and errors as AppErrors.
import type { EventEmitter } from 'node:events';
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { CallOptions } from 'nice-grpc';
import { AppError } from '../errors.ts';
import { toAppError } from '../grpc-status.ts';
import { notTraced, type OpenSpan, type Tracing } from '../telemetry/tracing.ts';
import { fromWire, toWire } from './call-context.ts';
import type { Method } from './definition.ts';
import { cancelled } from './messages.ts';

export interface CallerOptions {
  client: Client;
  /** For error messages. */
  address: string;
  tracing: Tracing;
  /** Go with every call. */
  headers: Readonly<Record<string, string>>;
}

export interface DeadlineOption {
  /** Milliseconds this call may take; unary calls have the connection's default, streams none. */
  deadlineMs?: number;
}

export type Options = CallOptions & DeadlineOption;

/** What grpc-js gives for a call of any kind. */
export type WireCall = EventEmitter & { cancel(): void };

/** A call that is under way: who may end it, and what its end means. */
export interface Started {
  readonly metadata: Metadata;
  /** Lets the signal and the deadline cancel it. */
  attach(call: WireCall): void;
  /** What to throw for an error of the wire; undefined: the call is over and well. */
  end(error?: unknown): unknown;
}

/** What every kind of call has: deadline, cancellation, trace. An abort rejects with an AbortError, whatever its reason was. */
export function startCall({ path }: Method, { address, tracing, headers }: CallerOptions, options: Options): Started {
  const { signal, deadlineMs, metadata, onHeader, onTrailer } = options;
  if (signal?.aborted) throw cancelled(signal.reason);
  const wire = metadata ? toWire(metadata) : new Metadata();
  for (const name in headers) wire.set(name, headers[name] as string);
  const span = trace(path, tracing, wire);
  let call: WireCall | undefined;
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const abort = (): void => call?.cancel();
  const errorOf = (error: unknown): unknown => {
    if (signal?.aborted) return cancelled(signal.reason);
    if (isLate) {
      return new AppError('DEADLINE_EXCEEDED', `${path}: no answer within ${deadlineMs} ms`, { cause: error });
    }
    return isServiceError(error) ? toAppError(error, path, address) : error;
  };
  return {
    metadata: wire,
    attach(started) {
      call = started;
      signal?.addEventListener('abort', abort, { once: true });
      if (deadlineMs !== undefined) {
        timer = setTimeout(() => {
          isLate = true;
          started.cancel();
        }, deadlineMs);
      }
      if (onHeader) started.on('metadata', (header: Metadata) => onHeader(fromWire(header)));
      if (onTrailer) started.on('status', (status: { metadata: Metadata }) => onTrailer(fromWire(status.metadata)));
    },
    end(error) {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      const known = error === undefined ? undefined : errorOf(error);
      span?.end(known);
      return known;
    },
  };
}

/** A call within a span has a span of its own; any other one begins no trace. */
function trace(path: string, tracing: Tracing, metadata: Metadata): OpenSpan | undefined {
  if (!tracing.isOn) return undefined;
  const [, service = '', method = ''] = path.split('/');
  const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
  const span = tracing.traceparent() ? tracing.begin(path.slice(1), { kind: 'client', attributes }) : undefined;
  metadata.set('traceparent', span?.traceparent ?? notTraced);
  return span;
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number';
