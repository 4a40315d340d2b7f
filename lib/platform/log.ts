// Structured logs: one JSON object a line on standard error (standard output belongs to results).
import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';

export type Logger = PinoLogger;

export interface LogOptions {
  service: string;
  level?: string;
  /** Where lines go; tests give their own. */
  destination?: DestinationStream;
}

/** `log.info({ step }, 'checkpoint saved')`; `log.child({ run: id })` puts the run's id on every line. */
export const createLogger = ({ service, level = 'info', destination = pino.destination(2) }: LogOptions): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      errorKey: 'error',
    },
    destination,
  );
