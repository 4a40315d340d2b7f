// Errors of the edge as gRPC statuses, with the wrong fields in google.rpc.BadRequest as our services send them.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, type StatusObject, status as statusCodes } from '@grpc/grpc-js';
import { BadRequest } from 'nice-grpc-error-details';
import { AppError, type ErrorCode, errorCodes, type FieldViolation, fromUnknown } from '#lib/platform/errors.ts';

export function toStatus(error: unknown): StatusObject {
  const { code, message, violations, details } = fromUnknown(error);
  const isBug = code === 'INTERNAL';
  const metadata = new Metadata();
  if (violations.length) metadata.set('grpc-status-details-bin', encodeDetails({ code, message, violations }));
  if (details.retryAfterSeconds) metadata.set('retry-after', String(details.retryAfterSeconds));
  return {
    code: statusCodes[code],
    details: isBug ? "internal error; the gateway's log has the details" : message,
    metadata,
  };
}

/** google.rpc.Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; } */
function encodeDetails({ code, message, violations }: Pick<AppError, 'code' | 'message' | 'violations'>): Buffer {
  const badRequest = BadRequest.encode(
    BadRequest.fromPartial({ fieldViolations: [...violations] as FieldViolation[] }),
  );
  const any = new BinaryWriter()
    .uint32((1 << 3) | 2)
    .string(`type.googleapis.com/${BadRequest.$type}`)
    .uint32((2 << 3) | 2)
    .bytes(badRequest.finish());
  const writer = new BinaryWriter()
    .uint32(1 << 3)
    .int32(statusCodes[code])
    .uint32((2 << 3) | 2)
    .string(message)
    .uint32((3 << 3) | 2)
    .bytes(any.finish());
  return Buffer.from(writer.finish());
}

/** How a call ended, as an error for those who count; nothing for a good end. */
export function toError({ code, details }: Pick<StatusObject, 'code' | 'details'>): AppError | undefined {
  if (code === statusCodes.OK) return undefined;
  const name = statusCodes[code] as ErrorCode;
  return new AppError(errorCodes.includes(name) ? name : 'UNKNOWN', details);
}
