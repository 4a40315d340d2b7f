// What every event bus does the same way: which names are allowed, and what becomes of an event that was not handled.
import { AppError, fromUnknown, hasCode, isAbortError, isAppError } from './errors.ts';
import { type SubscribeOptions, subjectMatches } from './event-bus.ts';

export const defaultBackoffMs = [200, 1000, 5000, 30_000];
export const defaultAckWaitMs = 30_000;
export const defaultMaxDeliver = 5;

export function checkDurable(name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw new AppError('INVALID_ARGUMENT', `durable name ${JSON.stringify(name)}: letters, digits, - and _`);
}

export function checkType(type: string): string {
  if (/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/.test(type)) return type;
  throw new AppError('INVALID_ARGUMENT', `event type ${JSON.stringify(type)}: words between dots`);
}

const patternRule = /^(>|([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*(\.>)?)$/;

export function checkPatterns(subjects: string[]): string[] {
  const wrong = subjects.find((subject) => !patternRule.test(subject));
  if (wrong === undefined && subjects.length > 0) return subjects;
  throw new AppError('INVALID_ARGUMENT', `subject ${JSON.stringify(wrong)}: words, * or a last > between dots`);
}

/** Whether a subscription to these subjects wants events of this type. */
export const isWanted = (subjects: readonly string[], type: string): boolean =>
  subjects.some((pattern) => subjectMatches(pattern, type));

export type Failure =
  /** Nobody's fault: the subscription stops. */
  | { kind: 'release' }
  | { kind: 'retry'; inMs: number }
  /** It becomes a dead letter. */
  | { kind: 'bury'; reason: string };

/** What becomes of an event whose handler threw `error` on this attempt. */
export function failureOf(
  error: unknown,
  attempt: number,
  signal: AbortSignal,
  { maxDeliver = defaultMaxDeliver, backoffMs = defaultBackoffMs }: Pick<SubscribeOptions, 'maxDeliver' | 'backoffMs'>,
): Failure {
  if (signal.aborted && (isAbortError(error) || hasCode(error, 'CANCELLED'))) return { kind: 'release' };
  const isWorthRetrying = !isAppError(error) || hasCode(error, 'UNAVAILABLE', 'ABORTED');
  if (!isWorthRetrying || attempt >= maxDeliver) return { kind: 'bury', reason: reasonOf(error) };
  return { kind: 'retry', inMs: backoffMs[attempt - 1] ?? backoffMs.at(-1) ?? 0 };
}

export function reasonOf(error: unknown): string {
  const { code, message } = fromUnknown(error);
  return `${code}: ${message}`;
}

/** Every delivery ended without an outcome: the process died, or its thread hung, each time. */
export const survivedByNobody = (maxDeliver: number): AppError =>
  new AppError('ABORTED', `no consumer survived it, ${maxDeliver} times`);
