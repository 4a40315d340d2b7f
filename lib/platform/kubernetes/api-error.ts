// What the Kubernetes API answers when it refuses, as our own errors. Its messages name verb, resource and namespace, and are kept.
import { AppError, type ErrorCode } from '../errors.ts';

/** From the HTTP status and the body, a `Status` object most of the time. */
export function toAppError(status: number, body: string): AppError {
  const { message = body.trim().slice(0, 500), reason = '' } = parseStatus(body);
  const code = reason === 'AlreadyExists' ? 'ALREADY_EXISTS' : codeOf(status, message);
  const hint = code === 'PERMISSION_DENIED' ? '; the Role of the service account has to allow it' : '';
  return new AppError(code, `Kubernetes: ${message || `status ${status}`}${hint}`, { details: { status, reason } });
}

function parseStatus(body: string): { message?: string; reason?: string } {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}

function codeOf(status: number, message: string): ErrorCode {
  // A quota is refused as forbidden, and passes.
  if (status === 403 && message.includes('exceeded quota')) return 'RESOURCE_EXHAUSTED';
  return codes[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'INTERNAL');
}

const codes: Record<number, ErrorCode> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  // A resource version that the server has forgotten.
  410: 'OUT_OF_RANGE',
  422: 'INVALID_ARGUMENT',
  429: 'UNAVAILABLE',
};
