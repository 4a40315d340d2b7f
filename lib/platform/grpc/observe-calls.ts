// What is told of every call that a server answers: a line in the log, a span, and numbers.
import type { Logger } from '../log.ts';
import { secondsBuckets } from '../telemetry/metrics.ts';
import type { ServiceTelemetry } from '../telemetry.ts';
import type { ServerCall } from './call-context.ts';

export interface ObservedCall {
  /** Runs `work` within the call's span. */
  run<T>(work: () => T): T;
  end(code: string, error?: unknown): void;
}

export type ObserveCall = (call: ServerCall) => ObservedCall;

export interface ObserveOptions extends ServiceTelemetry {
  log: Logger;
}

/** By method: `observe('/strata.trainer.v1.TrainerService/GetRun')`. */
export function createCallObserver({ log, tracing, metrics }: ObserveOptions): (path: string) => ObserveCall {
  const requests = metrics.counter('strata_grpc_server_requests_total', {
    help: 'Calls answered, by method and code.',
    labels: ['method', 'code'],
  });
  const seconds = metrics.histogram('strata_grpc_server_request_seconds', {
    help: 'How long calls took, to their last message.',
    labels: ['method', 'code'],
    buckets: secondsBuckets,
  });
  const running = metrics.gauge('strata_grpc_server_requests_running', {
    help: 'Calls under way.',
    labels: ['method'],
  });

  return (path) => {
    if (path.startsWith('/grpc.')) return (call) => logged(call, path, log);
    const method = path.slice(path.lastIndexOf('.') + 1);
    const [, service = '', name = ''] = path.split('/');
    const underWay = running.of({ method });
    const byCode = new Map<string, (took: number) => void>();
    /** Counts a call that ended with `code`; looks its series up once. */
    const countWith = (code: string): ((took: number) => void) => {
      const [calls, durations] = [requests.of({ method, code }), seconds.of({ method, code })];
      const count = (took: number): void => {
        calls.add();
        durations.observe(took);
      };
      byCode.set(code, count);
      return count;
    };
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': name };
    return (call) => {
      const { end, began } = logged(call, path, log);
      underWay.add(1);
      const [parent] = call.metadata.get('traceparent');
      const span = tracing.begin(path.slice(1), {
        kind: 'server',
        attributes,
        ...(parent !== undefined && { parent: String(parent) }),
      });
      return {
        run: (work) => (span ? span.run(work) : work()),
        end(code, error) {
          underWay.add(-1);
          const count = byCode.get(code) ?? countWith(code);
          count((performance.now() - began) / 1000);
          if (span) span.run(() => end(code, error));
          else end(code, error);
          span?.set({ 'rpc.response.status_code': code, 'error.type': code === 'OK' ? undefined : code });
          span?.end(isOurFault(code) ? error : undefined);
        },
      };
    };
  };
}

function logged(call: ServerCall, method: string, log: Logger): ObservedCall & { began: number } {
  const began = performance.now();
  return {
    began,
    run: (work) => work(),
    end(code, error) {
      const ms = Math.round(performance.now() - began);
      const line = { method, code, ms, peer: call.getPeer() };
      log[levelOf(code, method)](error === undefined ? line : { ...line, error }, 'call');
    },
  };
}

/** The others are the caller's doing, or an answer as good as any (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/). */
const isOurFault = (code: string): boolean =>
  ['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'].includes(code);

function levelOf(code: string, path: string): 'debug' | 'info' | 'error' {
  if (code === 'INTERNAL' || code === 'UNKNOWN' || code === 'DATA_LOSS') return 'error';
  return path.startsWith('/grpc.') ? 'debug' : 'info';
}
