// Where telemetry goes, and what it says about where it comes from.
import { z } from 'zod';
import { type Config, setting, values } from '../config.ts';

const share = z.coerce.number().min(0).max(1);

export const telemetrySettings = {
  /** `http://collector:4318`, OTLP over HTTP; empty: nothing is traced and no tracing code is loaded. */
  otlpEndpoint: setting('STRATA_OTLP_ENDPOINT', z.union([z.literal(''), z.url({ protocol: /^https?$/ })]), ''),
  /** Share of the traces that begin here which are recorded. What comes with a traceparent follows its caller. */
  traceRatio: setting('STRATA_TRACE_RATIO', share, '1'),
  /** /metrics, /healthz, /readyz over HTTP; 0: none. */
  metricsPort: setting('STRATA_METRICS_PORT', values.port, '0'),
  buildVersion: setting('STRATA_BUILD_VERSION', values.text, ''),
  /** The work that this process continues: the runner of jobs sets it. */
  traceparent: setting('TRACEPARENT', values.text, ''),
  // By Kubernetes' downward API.
  podName: setting('POD_NAME', values.text, ''),
  podNamespace: setting('POD_NAMESPACE', values.text, ''),
  podUid: setting('POD_UID', values.text, ''),
  nodeName: setting('NODE_NAME', values.text, ''),
};

export type TelemetryConfig = Config<typeof telemetrySettings>;
