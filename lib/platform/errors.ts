// One error class for everything a caller should understand, with gRPC's canonical codes, and one place that turns unknown errors into it.
// Anything that is not an AppError (or an abort) is a bug: callers see INTERNAL, the stack stays in the log.
import { types } from 'node:util';

export const errorCodes = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export interface FieldViolation {
  field: string;
  description: string;
}

export interface AppErrorOptions {
  /** The request's field that is wrong, in the contract's spelling (`learning_rate`). */
  field?: string | undefined;
  /** Several wrong fields at once. */
  violations?: FieldViolation[] | undefined;
  cause?: unknown;
  /** Facts for the log and for machines; never secrets. */
  details?: Record<string, unknown> | undefined;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly violations: readonly FieldViolation[];
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.violations = options.violations ?? (options.field ? [{ field: options.field, description: message }] : []);
    this.details = options.details ?? {};
  }
}

/** The request's `field` is wrong; the message begins with its name. */
export const invalidArgument = (field: string, message: string): AppError =>
  new AppError('INVALID_ARGUMENT', `${field}: ${message}`, { violations: [{ field, description: message }] });

/** `notFound('model', 'gpt2@v3')`: says what is missing, and optionally what to do. */
export const notFound = (thing: string, name: string, hint = ''): AppError =>
  new AppError('NOT_FOUND', `${thing} "${name}" does not exist${hint && `; ${hint}`}`, { details: { thing, name } });

export const failedPrecondition = (message: string, options: AppErrorOptions = {}): AppError =>
  new AppError('FAILED_PRECONDITION', message, options);

// By name, not by instanceof: errors cross worker threads and (in tests) realms.
export const isAppError = (error: unknown): error is AppError =>
  isErrorLike(error) && error.name === 'AppError' && errorCodes.includes((error as AppError).code);

export const isAbortError = (error: unknown): boolean => isErrorLike(error) && error.name === 'AbortError';

/** Whether a write failed because the disk, or the user's share of it, is full. */
export const isDiskFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Whether an error has this code: `if (hasCode(error, 'NOT_FOUND')) …`. */
export const hasCode = (error: unknown, ...codes: ErrorCode[]): error is AppError =>
  isAppError(error) && codes.includes(error.code);

/** Any thrown value as an AppError. What it does not know becomes INTERNAL with the original as its cause. */
export function fromUnknown(error: unknown): AppError {
  if (isAppError(error)) return error;
  if (isAbortError(error)) return new AppError('CANCELLED', 'the operation was cancelled', { cause: error });
  if (!isErrorLike(error)) return new AppError('INTERNAL', String(error), { cause: error });
  if (error.name === 'TimeoutError') return new AppError('DEADLINE_EXCEEDED', error.message, { cause: error });
  const code = systemCodes[(error as NodeJS.ErrnoException).code ?? ''];
  return new AppError(code ?? 'INTERNAL', error.message, { cause: error });
}

const systemCodes: Record<string, ErrorCode> = {
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  EMFILE: 'RESOURCE_EXHAUSTED',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ECONNREFUSED: 'UNAVAILABLE',
  ECONNRESET: 'UNAVAILABLE',
  EPIPE: 'UNAVAILABLE',
};

const isErrorLike = (error: unknown): error is Error =>
  types.isNativeError(error) || (typeof error === 'object' && error !== null && 'message' in error && 'name' in error);
