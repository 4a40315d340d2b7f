// JSON for the store, within the limit that NATS has by default: what fits here fits there.
import { AppError } from '../errors.ts';

const maxBytes = 1024 * 1024;

export function toJson(what: string, value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw new AppError('INVALID_ARGUMENT', `${what}: ${typeof value} is not JSON`);
  const size = Buffer.byteLength(text);
  if (size <= maxBytes) return text;
  throw new AppError(
    'INVALID_ARGUMENT',
    `${what}: ${size} bytes of JSON, at most ${maxBytes} fit; large things belong in the object store`,
  );
}
