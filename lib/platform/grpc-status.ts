// AppErrors over gRPC: code, message and google.rpc.BadRequest, in both directions.
import { Metadata, type ServiceError, type StatusObject, status as statusCodes } from '@grpc/grpc-js';
import { ServerError } from 'nice-grpc';
import { AppError, type ErrorCode, errorCodes, fromUnknown, hasCode } from './errors.ts';
import { decodeViolations, detailsKey, encodeDetails } from './grpc/error-details.ts';
import { tlsVariables } from './tls.ts';

/** What goes out for a thrown value. An AppError goes out as its code; anything else is a bug: INTERNAL, and no word of it. */
export function toServerStatus(error: unknown, metadata = new Metadata()): { code: ErrorCode; status: StatusObject } {
  // The health service throws these.
  const known = error instanceof ServerError ? new AppError(codeOf(error.code), error.details) : fromUnknown(error);
  const { code, violations, cause } = known;
  const isBug = code === 'INTERNAL' && cause !== undefined;
  const details = isBug ? 'internal error; the service log has the details' : known.message;
  const status = { code: statusCodes[code], details, metadata };
  if (violations.length) metadata.set(detailsKey, encodeDetails({ code: status.code, message: details, violations }));
  return { code, status };
}

/** What a call to another service failed with, as our own error. Codes pass through; only a broken connection gets an explanation. */
export function toAppError(error: ServiceError, path: string, address: string): AppError {
  const code = codeOf(error.code);
  const [, service = ''] = path.split('/');
  const [details] = error.metadata?.get(detailsKey) ?? [];
  const violations = details ? decodeViolations(Buffer.from(details)) : [];
  if (isConnectionFailure(error)) {
    const reason = `${error.details}${tlsHint(error.details)}`;
    return new AppError(code, `${service} at ${address} cannot be reached: ${reason}`, {
      cause: error,
      details: { unreachable: address },
    });
  }
  return new AppError(code, error.details || `${service}: ${code}`, { cause: error, violations });
}

/** A status that no service has given: its connection could not be made, or broke. */
export const isConnectionFailure = ({ code, details }: Pick<StatusObject, 'code' | 'details'>): boolean =>
  code === statusCodes.UNAVAILABLE && /connect|ECONN|name resolution/i.test(details);

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

/** gRPC's number as our code. */
export const codeOf = (status: number): ErrorCode =>
  errorCodes.find((code) => statusCodes[code] === status) ?? 'UNKNOWN';
