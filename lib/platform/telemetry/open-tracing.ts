// Tracing with OpenTelemetry's SDK, sent as OTLP over HTTP. Loaded only where STRATA_OTLP_ENDPOINT is set.
// Nothing is registered globally: the span around is in our own store (tracing.ts).
import { ROOT_CONTEXT, SpanKind as SdkKind, type Span as SdkSpan, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { fromUnknown, isAbortError } from '../errors.ts';
import type { TelemetryConfig } from './settings.ts';
import {
  type Attributes,
  type OpenSpan,
  parseTraceparent,
  type SpanIds,
  type SpanKind,
  type SpanOptions,
  spanAround,
  type Tracing,
  toTraceparent,
} from './tracing.ts';

export interface OpenedTracing {
  /** Spans are told apart by the service that made them, also where several share a process. */
  of(service: string): Tracing;
  /** Sends what has gathered; a collector that is away does not hold it up for long. */
  close(): Promise<void>;
}

const kinds = {
  internal: SdkKind.INTERNAL,
  server: SdkKind.SERVER,
  client: SdkKind.CLIENT,
  producer: SdkKind.PRODUCER,
  consumer: SdkKind.CONSUMER,
} satisfies Record<SpanKind, SdkKind>;

const patienceMs = 3000;

export function openTracing(config: TelemetryConfig): OpenedTracing {
  const exporter = new OTLPTraceExporter({
    url: `${config.otlpEndpoint.replace(/\/$/, '')}/v1/traces`,
    timeoutMillis: patienceMs,
  });
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 });
  const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.traceRatio) });
  return {
    of(service) {
      const resource = resourceFromAttributes(attributesOfProcess(service, config));
      const provider = new TracerProvider({ sampler, resource, spanProcessors: [processor] });
      return createTracing(provider);
    },
    async close() {
      const patience = AbortSignal.timeout(patienceMs);
      const late = new Promise((resolve) => patience.addEventListener('abort', resolve));
      await Promise.race([processor.shutdown().catch(() => undefined), late]);
    },
  };
}

const attributesOfProcess = (service: string, config: TelemetryConfig) => ({
  'service.name': `strata-${service}`,
  'service.namespace': 'strata',
  ...(config.buildVersion && { 'service.version': config.buildVersion }),
  'process.pid': process.pid,
  ...(config.podName && { 'k8s.pod.name': config.podName }),
  ...(config.podUid && { 'k8s.pod.uid': config.podUid }),
  ...(config.podNamespace && { 'k8s.namespace.name': config.podNamespace }),
  ...(config.nodeName && { 'k8s.node.name': config.nodeName }),
});

/** A span as it lies in the store: our ids for logs, and the SDK's span to be a parent with. */
interface Around extends SpanIds {
  readonly sdk: SdkSpan;
}

const toAround = (sdk: SdkSpan): Around => ({ ...sdk.spanContext(), sdk });

const around = (): SdkSpan | undefined => (spanAround.getStore() as Around | undefined)?.sdk;

function createTracing(provider: TracerProvider): Tracing {
  const tracer = provider.getTracer('strata');

  const begin = (name: string, { kind = 'internal', attributes, parent, links, startTime }: SpanOptions): OpenSpan => {
    const cause = parent === undefined ? around() : remote(parent);
    const options = {
      kind: kinds[kind],
      ...(attributes && { attributes: attributes as Record<string, string> }),
      ...(links && { links: links.flatMap(toLink) }),
      ...(startTime !== undefined && { startTime }),
    };
    return toOpenSpan(tracer.startSpan(name, options, cause ? trace.setSpan(ROOT_CONTEXT, cause) : ROOT_CONTEXT));
  };

  return {
    isOn: true,
    begin,
    async span(name, options, work) {
      const span = begin(name, options);
      try {
        const result = await span.run(() => work(span));
        span.end();
        return result;
      } catch (error) {
        span.end(error);
        throw error;
      }
    },
    traceparent() {
      const span = around();
      return span && traceparentOf(span);
    },
    continue(traceparent, work) {
      const span = traceparent ? remote(traceparent) : undefined;
      return span ? spanAround.run(toAround(span), work) : work();
    },
  };
}

function toOpenSpan(span: SdkSpan): OpenSpan {
  const store = toAround(span);
  let hasEnded = false;
  return {
    traceparent: traceparentOf(span),
    set: (attributes: Attributes) => void span.setAttributes(attributes as Record<string, string>),
    run: (work) => spanAround.run(store, work),
    end(error) {
      if (hasEnded) return;
      hasEnded = true;
      if (error !== undefined) note(span, error);
      span.end();
    },
  };
}

const traceparentOf = (span: SdkSpan): string => {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return toTraceparent({ traceId, spanId, flags: traceFlags });
};

function remote(traceparent: string): SdkSpan | undefined {
  const parsed = parseTraceparent(traceparent);
  if (!parsed) return undefined;
  const { traceId, spanId, flags } = parsed;
  return trace.wrapSpanContext({ traceId, spanId, traceFlags: flags & 1, isRemote: true });
}

const toLink = (traceparent: string) => {
  const span = remote(traceparent);
  return span ? [{ context: span.spanContext() }] : [];
};

/** Somebody's leaving is no failure; anything else is kept with its code and message, a bug with its stack. */
function note(span: SdkSpan, error: unknown): void {
  const { code, message } = fromUnknown(error);
  span.setAttribute('error.type', code);
  if (isAbortError(error) || code === 'CANCELLED') return;
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  if (error instanceof Error && code === 'INTERNAL') span.recordException(error);
}
