// Errors of the edge as gRPC statuses, with the wrong fields in google.rpc.BadRequest as our services send them.
import { Metadata, type StatusObject, status as statusCodes } from '@grpc/grpc-js';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import { detailsKey, encodeDetails } from '#lib/platform/grpc/error-details.ts';
import { codeOf } from '#lib/platform/grpc-status.ts';

export function toStatus(error: unknown): StatusObject {
  const { code, message, violations, details } = fromUnknown(error);
  const isBug = code === 'INTERNAL';
  const metadata = new Metadata();
  if (violations.length) metadata.set(detailsKey, encodeDetails({ code: statusCodes[code], message, violations }));
  if (details.retryAfterSeconds) metadata.set('retry-after', String(details.retryAfterSeconds));
  return {
    code: statusCodes[code],
    details: isBug ? "internal error; the gateway's log has the details" : message,
    metadata,
  };
}

/** How a call ended, as an error for those who count; nothing for a good end. */
export function toError({ code, details }: Pick<StatusObject, 'code' | 'details'>): AppError | undefined {
  if (code === statusCodes.OK) return undefined;
  return new AppError(codeOf(code), details);
}
