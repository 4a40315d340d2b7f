// Structured logs: one JSON object a line on standard error (standard output belongs to results).
import { renameSync, statSync } from 'node:fs';
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { spanFields } from './telemetry/tracing.ts';

export type Logger = PinoLogger;

export interface LogOptions {
  service: string;
  level?: string;
  /** Where lines go; tests give their own. */
  destination?: DestinationStream;
}

/** `log.info({ step }, 'checkpoint saved')`; `log.child({ run: id })` puts the run's id on every line. Within a span, its trace stands there too. */
export const createLogger = ({
  service,
  level = 'info',
  destination = openDestination({ dest: 2 }),
}: LogOptions): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp,
      formatters: { level: (label) => ({ level: label }) },
      errorKey: 'error',
      mixin: spanFields,
    },
    destination,
  );

/** ISO, as pino's own, written once for all lines of a millisecond. */
const timestamp = (() => {
  let last = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== last) text = `,"time":"${new Date(now).toISOString()}"`;
    last = now;
    return text;
  };
})();

const largestLogBytes = 64 * 1024 * 1024;
const mostWaitingBytes = 1024 * 1024;

/** Lines that cannot be written (a full disk, a closed pipe) wait for the next one, a megabyte of them; a log never fails who writes to it. */
function openDestination(options: { dest: string | number; append?: boolean; mkdir?: boolean }): DestinationStream {
  const destination = pino.destination({ ...options, sync: true, maxLength: mostWaitingBytes });
  destination.on('error', () => undefined);
  return destination;
}

/** Appends to a file; one that has grown large is set aside as `<path>.1` first. */
export function openLogFile(path: string): DestinationStream {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > largestLogBytes) renameSync(path, `${path}.1`);
  return openDestination({ dest: path, append: true, mkdir: true });
}
