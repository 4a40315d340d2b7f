// Traces: what a span is to the rest of the code. Off (`noTracing`), everything is a plain call; on, open-tracing.ts stands behind it.
// A trace crosses gRPC as metadata, events as an extension attribute, jobs as an environment variable, each time as W3C `traceparent`.

import { AsyncLocalStorage } from 'node:async_hooks';

/** The span around a piece of code, wherever it is awaited. */
export const spanAround = new AsyncLocalStorage<SpanIds>();

export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** For log lines. */
export function spanFields(): { trace_id?: string; span_id?: string } {
  const span = spanAround.getStore();
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
}

/** Undefined ones are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | string[] | undefined>>;

export interface Span {
  set(attributes: Attributes): void;
}

/** A span that is no single function: a streamed call. */
export interface OpenSpan extends Span {
  readonly traceparent: string;
  /** Runs `work` within the span. */
  run<T>(work: () => T): T;
  /** Ends it, once; with what went wrong. */
  end(error?: unknown): void;
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export interface SpanOptions {
  kind?: SpanKind;
  attributes?: Attributes;
  /** The traceparent of what caused it. Absent: the span around it; where there is none, a new trace begins. */
  parent?: string | undefined;
  /** Traceparents of other work that led here. */
  links?: readonly string[];
  /** Milliseconds since 1970, where it began before it was told. */
  startTime?: number;
}

export interface Tracing {
  readonly isOn: boolean;
  /** Runs `work` in a span that ends with it, and keeps its error. */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Undefined where nothing is traced. */
  begin(name: string, options: SpanOptions): OpenSpan | undefined;
  /** Of the span around; undefined where there is none. Kept with records, it lets work go on in the trace that began it. */
  traceparent(): string | undefined;
  /** Runs `work` within the span that a traceparent names. */
  continue<T>(traceparent: string | undefined, work: () => T): T;
}

const noSpan: Span = { set: () => undefined };

export const noTracing: Tracing = {
  isOn: false,
  span: (_name, _options, work) => work(noSpan),
  begin: () => undefined,
  traceparent: () => undefined,
  continue: (_traceparent, work) => work(),
};

/** Sent with calls that no span is around: a loop that looks at something every second begins no trace at the other end either. */
export const notTraced = '00-00000000000000000000000000000001-0000000000000001-00';

const pattern = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;

export interface ParsedTraceparent {
  traceId: string;
  spanId: string;
  flags: number;
}

/** Undefined for what is not one (https://www.w3.org/TR/trace-context/). */
export function parseTraceparent(text: string | undefined): ParsedTraceparent | undefined {
  const [, traceId, spanId, flags] = (text && pattern.exec(text)) || [];
  if (!traceId || !spanId || !flags || text?.startsWith('ff')) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

export const toTraceparent = ({ traceId, spanId, flags }: ParsedTraceparent): string =>
  `00-${traceId}-${spanId}-${(flags & 1).toString(16).padStart(2, '0')}`;
