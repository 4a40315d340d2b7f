// A job's process: opens the platform, works within the trace that started it, and sends its last spans before it ends.
import type { Logger } from './log.ts';
import { openPlatform } from './platform.ts';
import { createContext, type ServiceContext } from './run-service.ts';
import type { PlatformConfig } from './settings.ts';
import { type Attributes, notTraced } from './telemetry/tracing.ts';
import { openTelemetry } from './telemetry.ts';

export interface JobOptions {
  /** Of the job's kind: `trainer-worker`. */
  name: string;
  log: Logger;
  /** What it works on, for its span. */
  attributes: Attributes;
}

export async function inJob<T>(
  config: PlatformConfig,
  { name, log, attributes }: JobOptions,
  work: (context: ServiceContext) => Promise<T>,
): Promise<T> {
  const telemetry = await openTelemetry(config, { log });
  const platform = await openPlatform(config, { log });
  const context = createContext({ name, config, platform, log, telemetry: telemetry.of(name) });
  const parent = config.traceparent || notTraced;
  try {
    return await context.tracing.span(name, { parent, attributes }, () => work(context));
  } finally {
    await platform.close();
    await telemetry.close();
  }
}
