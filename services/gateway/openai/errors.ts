// Errors in OpenAI's form: { error: { message, type, param, code } } and an HTTP status that clients act on.
import { type ErrorCode, fromUnknown } from '#lib/platform/errors.ts';

interface ErrorKind {
  status: number;
  type: string;
}

const invalid: ErrorKind = { status: 400, type: 'invalid_request_error' };
const server: ErrorKind = { status: 500, type: 'server_error' };

const kinds: Record<ErrorCode, ErrorKind> = {
  INVALID_ARGUMENT: invalid,
  OUT_OF_RANGE: invalid,
  FAILED_PRECONDITION: invalid,
  ALREADY_EXISTS: { status: 409, type: 'invalid_request_error' },
  ABORTED: { status: 409, type: 'invalid_request_error' },
  UNAUTHENTICATED: { status: 401, type: 'authentication_error' },
  PERMISSION_DENIED: { status: 403, type: 'permission_error' },
  NOT_FOUND: { status: 404, type: 'invalid_request_error' },
  RESOURCE_EXHAUSTED: { status: 429, type: 'rate_limit_error' },
  // nginx's status for a client that has gone; nobody reads it.
  CANCELLED: { status: 499, type: 'cancelled' },
  DEADLINE_EXCEEDED: { status: 504, type: 'timeout' },
  UNAVAILABLE: { status: 503, type: 'server_error' },
  UNIMPLEMENTED: { status: 501, type: 'invalid_request_error' },
  UNKNOWN: server,
  INTERNAL: server,
  DATA_LOSS: server,
};

export interface OpenAiError {
  status: number;
  body: { error: { message: string; type: string; param: string | null; code: string | null } };
}

/** Any thrown value in OpenAI's form. What is a bug says nothing of itself: its stack is in the log. */
export function toOpenAiError(error: unknown): OpenAiError {
  const { code, message, violations, details } = fromUnknown(error);
  const { status, type } = kinds[code];
  const isModel = code === 'NOT_FOUND' && details.thing !== 'route';
  return {
    status,
    body: {
      error: {
        message: code === 'INTERNAL' ? 'internal error; the reason is in the log' : message,
        type,
        param: violations[0]?.field ?? (isModel ? 'model' : null),
        code: isModel ? 'model_not_found' : code.toLowerCase(),
      },
    },
  };
}
