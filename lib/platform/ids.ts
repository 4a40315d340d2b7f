// Identifiers of 20 characters of Crockford's base 32 in lower case: safe in state keys, object keys and Kubernetes names.
import { createHash, randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Sorts by time of creation: 10 characters of milliseconds, 10 of chance. */
export const createId = (now = Date.now(), random: Uint8Array = randomBytes(10)): string =>
  encodeTime(now) + encodeBytes(random.subarray(0, 10));

/** The same id for the same request: what makes a creating RPC idempotent. Without a request id a fresh one. */
export const idOfRequest = (scope: string, requestId: string): string =>
  requestId ? encodeBytes(createHash('sha256').update(`${scope}\0${requestId}`).digest().subarray(0, 20)) : createId();

/** 48 bits as 10 characters, largest first. */
function encodeTime(milliseconds: number): string {
  let rest = milliseconds;
  const digits = Array.from({ length: 10 }, () => {
    const digit = alphabet.charAt(rest % 32);
    rest = Math.floor(rest / 32);
    return digit;
  });
  return digits.reverse().join('');
}

/** One character a byte, five bits of it. */
const encodeBytes = (bytes: Uint8Array): string => Array.from(bytes, (byte) => alphabet.charAt(byte % 32)).join('');
