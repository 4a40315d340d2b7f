// google.rpc.Status with google.rpc.BadRequest, as the metadata `grpc-status-details-bin` carries them: which fields of a request are wrong.
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { BadRequest } from 'nice-grpc-error-details';
import type { FieldViolation } from '../errors.ts';

export const detailsKey = 'grpc-status-details-bin';
const badRequestUrl = `type.googleapis.com/${BadRequest.$type}`;
const asBytes = 2;

export interface RichStatus {
  code: number;
  message: string;
  violations: readonly FieldViolation[];
}

/** Status { int32 code = 1; string message = 2; repeated Any details = 3; }, Any { string type_url = 1; bytes value = 2; } */
export function encodeDetails({ code, message, violations }: RichStatus): Buffer {
  const badRequest = BadRequest.encode(BadRequest.fromPartial({ fieldViolations: [...violations] })).finish();
  const any = new BinaryWriter().uint32((1 << 3) | asBytes).string(badRequestUrl);
  any.uint32((2 << 3) | asBytes).bytes(badRequest);
  const status = new BinaryWriter().uint32(1 << 3).int32(code);
  status.uint32((2 << 3) | asBytes).string(message);
  return Buffer.from(
    status
      .uint32((3 << 3) | asBytes)
      .bytes(any.finish())
      .finish(),
  );
}

/** What is no BadRequest, or makes no sense, says nothing of fields. */
export function decodeViolations(bytes: Uint8Array): FieldViolation[] {
  try {
    return fieldsOf(bytes, 3).flatMap((any) => {
      const [url] = fieldsOf(any, 1);
      const [value] = fieldsOf(any, 2);
      if (!url || !value || Buffer.from(url).toString() !== badRequestUrl) return [];
      return BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({ field, description }));
    });
  } catch {
    return [];
  }
}

/** The length-delimited fields of a message that have this number. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === wanted && type === asBytes) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}
