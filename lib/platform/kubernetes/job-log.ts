// A job's lines, from its pod while there is one. Every line has its time, so that reading can go on where a connection broke.
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../errors.ts';
import type { Cluster } from './cluster.ts';

export interface StampedLine {
  /** `2026-01-01T00:00:00.123456789Z`: of one length, so that times compare as texts. */
  time: string;
  line: string;
}

/** `2026-01-01T00:00:00.12Z a line` -> its parts; what has no time is the kubelet's own word (`unable to retrieve container logs …`). */
export function toStamped(text: string): StampedLine[] {
  const [, seconds, fraction = '', line = ''] = /^(\d{4}-\d\d-\d\dT[\d:]{8})(?:\.(\d+))?Z (.*)$/s.exec(text) ?? [];
  return seconds ? [{ time: `${seconds}.${fraction.padEnd(9, '0')}Z`, line }] : [];
}

export interface LogOptions {
  /** Only lines later than this one's time. */
  after?: string;
  /** Until the container has ended. */
  follow?: boolean;
  signal?: AbortSignal | undefined;
}

/** A pod that is gone has no lines. A program may be silent for long, which is no reason to let go. */
export async function* readLog(
  cluster: Cluster,
  podPath: string,
  { after = '', follow = false, signal }: LogOptions = {},
): AsyncGenerator<StampedLine> {
  const query = { follow: String(follow), timestamps: 'true', ...(after && { sinceTime: after }) };
  try {
    for await (const text of cluster.lines({ path: `${podPath}/log`, query, signal, idleMs: 0 })) {
      yield* toStamped(text).filter(({ time }) => time > after);
    }
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error;
  }
}

const mostLines = 200;
const mostCharacters = 64 * 1024;
const patienceMs = 5000;
const firstLineMs = 500;

/** Follows the log of a pod that is about to go. `end` gives its last lines: an annotation's worth. */
export async function collectTail(cluster: Cluster, podPath: string): Promise<{ end(): Promise<string> }> {
  const kept: string[] = [];
  const closing = new AbortController();
  const begun = Promise.withResolvers<void>();
  const collect = async (): Promise<void> => {
    for await (const { time, line } of readLog(cluster, podPath, { follow: true, signal: closing.signal })) {
      begun.resolve();
      kept.push(`${time} ${line}`);
      if (kept.length > mostLines) kept.shift();
    }
  };
  // Where the log cannot be read (the container never began), nothing is kept.
  const collected = collect().catch(() => undefined);
  // A job may have said nothing yet.
  await Promise.race([begun.promise, collected, delay(firstLineMs)]);
  return {
    async end() {
      await Promise.race([collected, delay(patienceMs, undefined, { ref: false })]);
      closing.abort();
      await collected;
      return kept.join('\n').slice(-mostCharacters);
    },
  };
}

/** The lines that `collectTail` kept. */
export const fromTail = (kept: string | undefined, after = ''): StampedLine[] =>
  (kept ?? '')
    .split('\n')
    .flatMap(toStamped)
    .filter(({ time }) => time > after);
