// The client's errors as AppErrors, and which of them a server that is away, or just back, gives.
import { JetStreamApiError } from '@nats-io/jetstream';
import { AppError, type ErrorCode, isAbortError, isAppError } from '../errors.ts';

/** Codes of JetStream's API that are part of the way things go. */
export const apiCodes = {
  consumerNotFound: 10014,
  wrongLastSequence: 10071,
  streamNotFound: 10059,
  streamExistsOtherwise: 10058,
  consumerExistsOtherwise: 10148,
  duplicateInProcess: 10158,
  wrongLastSequenceUnknown: 10164,
} as const;

export const hasApiCode = (error: unknown, ...codes: number[]): boolean =>
  error instanceof JetStreamApiError && codes.includes(error.code);

export const isWrongSequence = (error: unknown): boolean =>
  hasApiCode(error, apiCodes.wrongLastSequence, apiCodes.wrongLastSequenceUnknown);

/** The connection broke while an answer was waited for. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

const passing = [
  'ConnectionLost',
  'ConnectionError',
  'TimeoutError',
  'NoRespondersError',
  'JetStreamNotEnabled',
  'JetStreamStatusError',
];

/** Worth another try: the server is away, is coming back, or elects a leader. */
export function isTransient(error: unknown): boolean {
  if (error instanceof JetStreamApiError) {
    return error.status === 503 || error.code === apiCodes.duplicateInProcess;
  }
  const { name, cause } = error as Error;
  return passing.includes(name) || (name === 'RequestError' && !isForbidden(cause));
}

/** Nobody listens to that subject. */
export const isNoResponders = (error: unknown): boolean =>
  [error, (error as Error).cause].some((one) => (one as Error | undefined)?.name === 'NoRespondersError');

const isForbidden = (error: unknown): boolean => (error as Error | undefined)?.name === 'PermissionViolationError';

const apiStatus: Record<number, ErrorCode> = { 400: 'FAILED_PRECONDITION', 404: 'NOT_FOUND' };

export function toAppError(what: string, error: unknown): unknown {
  if (isAppError(error) || isAbortError(error)) return error;
  const { name, message, cause } = error as Error;
  const say = (code: ErrorCode, hint = '') => new AppError(code, `NATS, ${what}: ${message}${hint}`, { cause: error });
  if (isForbidden(error) || isForbidden(cause)) return say('PERMISSION_DENIED', '; see the permissions of its user');
  if (name === 'ClosedConnectionError' || name === 'DrainingConnectionError') return say('UNAVAILABLE');
  if (!(error instanceof JetStreamApiError)) return say('INTERNAL');
  if (/maximum (bytes|messages)|insufficient (storage|resources)|resource/.test(message)) {
    return say('RESOURCE_EXHAUSTED', '; give JetStream more storage');
  }
  return say(apiStatus[error.status] ?? 'FAILED_PRECONDITION');
}
