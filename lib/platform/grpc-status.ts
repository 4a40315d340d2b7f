// AppErrors over gRPC: code, message and google.rpc.BadRequest, in both directions; and the server's access log, which sees every outcome.
import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc';
import type { ClientError } from 'nice-grpc-common';
import { BadRequest, type ErrorDetails, RichServerError } from 'nice-grpc-error-details';
import { AppError, type ErrorCode, errorCodes, fromUnknown, hasCode, isAbortError } from './errors.ts';
import type { Logger } from './log.ts';
import { tlsVariables } from './tls.ts';

/** Server middleware: an AppError goes out as its code; an abort as CANCELLED; anything else is a bug, INTERNAL, its stack in the log only. */
export const mapErrors = (log: Logger) =>
  async function* errorMapping<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    const started = performance.now();
    const done = (code: string, error?: unknown) => {
      const line = { method: call.method.path, code, ms: Math.round(performance.now() - started), peer: context.peer };
      log[levelOf(code, call.method.path)](error ? { ...line, error } : line, 'call');
    };
    try {
      const response = yield* call.next(call.request, context);
      done('OK');
      return response;
    } catch (error) {
      if (isAbortError(error) || context.signal.aborted) {
        done('CANCELLED');
        throw new ServerError(Status.CANCELLED, 'the call was cancelled');
      }
      const appError = fromUnknown(error);
      done(appError.code, error);
      throw toServerError(appError);
    }
  };

function levelOf(code: string, path: string): 'debug' | 'info' | 'error' {
  if (code === 'INTERNAL' || code === 'UNKNOWN' || code === 'DATA_LOSS') return 'error';
  return path.startsWith('/grpc.') ? 'debug' : 'info';
}

function toServerError({ code, message, violations, cause }: AppError): RichServerError {
  const isBug = code === 'INTERNAL' && cause !== undefined;
  const details: ErrorDetails[] = violations.length
    ? [BadRequest.fromPartial({ fieldViolations: [...violations] })]
    : [];
  return new RichServerError(
    Status[code],
    isBug ? 'internal error; the service log has the details' : message,
    details,
  );
}

/** What a call to another service failed with, as our own error. Codes pass through; only a broken connection gets an explanation. */
export function toAppError(error: ClientError, address: string): AppError {
  const code = codeOf(error.code);
  const [, service = ''] = error.path.split('/');
  const violations = 'extra' in error ? fieldViolations(error.extra as ErrorDetails[]) : [];
  if (code === 'UNAVAILABLE' && /connect|ECONN|name resolution/i.test(error.details)) {
    const reason = `${error.details}${tlsHint(error.details)}`;
    return new AppError(code, `${service} at ${address} cannot be reached: ${reason}`, {
      cause: error,
      details: { unreachable: address },
    });
  }
  return new AppError(code, error.details || `${service}: ${code}`, { cause: error, violations });
}

/** Whether a call found nobody there, or lost whom it had found; anything else that is UNAVAILABLE was said by the service. */
export const isUnreachable = (error: unknown): boolean =>
  hasCode(error, 'UNAVAILABLE') && error.details.unreachable !== undefined;

/** What a failed handshake has to do with the configuration. */
function tlsHint(reason: string): string {
  if (/altnames/i.test(reason))
    return '; its certificate is for another name: call it by a name that the certificate carries';
  if (/self.signed|issuer|verify the first|signature failure|unknown ca/i.test(reason))
    return '; its certificate is of another authority: STRATA_TLS_CA_FILE has to be the one that signs the services';
  if (/failed to connect \(|alert|wrong version|socket disconnected/i.test(reason))
    return `; it hangs up: both sides need ${tlsVariables.join(', ')} of one authority, or neither`;
  return '';
}

const codeOf = (status: Status): ErrorCode => errorCodes.find((code) => Status[code] === status) ?? 'UNKNOWN';

const fieldViolations = (details: ErrorDetails[]) =>
  details.flatMap((detail) => (detail.$type === BadRequest.$type ? (detail as BadRequest).fieldViolations : []));
