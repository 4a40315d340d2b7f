// Errors between threads: structured cloning drops their class and their own fields, so what matters is taken along by hand.
import { AppError, isAppError } from './errors.ts';

export interface WireError {
  name: string;
  message: string;
  stack?: string | undefined;
  app?: Pick<AppError, 'code' | 'violations' | 'details'>;
}

export function toWire(error: unknown): WireError {
  if (isAppError(error)) {
    const { name, message, stack, code, violations, details } = error;
    return { name, message, stack, app: { code, violations, details } };
  }
  const { name = 'Error', message = String(error), stack } = (error ?? {}) as Partial<Error>;
  return { name, message, stack };
}

export function fromWire({ name, message, stack, app }: WireError): Error {
  const error = app
    ? new AppError(app.code, message, { violations: [...app.violations], details: app.details })
    : Object.assign(new Error(message), { name });
  if (stack) error.stack = stack;
  return error;
}
