// JSON for the stores, within the limit that every one of them keeps: NATS takes 1 MiB by default, of which headers need some.
import { AppError } from './errors.ts';

const maxBytes = 1_000_000;

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
