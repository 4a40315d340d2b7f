// What the streams and their subjects are called. Everything begins with the installation's prefix, so that several can share a server:
//
//   <prefix>.event.<type>.<hash of the id>       one subject an event: its id can be published once
//   <prefix>.replay.<durable>.<type>.<letter>    a dead letter that comes again, to the durable name that failed
//   <prefix>.dead.<durable>.<sequence>-<time>    what could not be handled
//   $KV.<prefix>-state.<key>                     state, laid out as every NATS client's key-value store
import { createHash } from 'node:crypto';

export type Names = ReturnType<typeof createNames>;

export function createNames(prefix: string) {
  const eventPrefix = `${prefix}.event.`;
  const replayPrefix = `${prefix}.replay.`;
  const statePrefix = `$KV.${prefix}-state.`;
  return {
    events: `${prefix}-events`,
    eventSubjects: [`${eventPrefix}>`, `${replayPrefix}>`],
    deadLetters: `${prefix}-dead-letters`,
    deadSubjects: [`${prefix}.dead.>`],
    state: `KV_${prefix}-state`,
    stateSubjects: [`${statePrefix}>`],

    event: (type: string, id: string): string => `${eventPrefix}${type}.${hashOf(id)}`,
    replay: (durable: string, type: string, letter: string): string => `${replayPrefix}${durable}.${type}.${letter}`,
    dead: (durable: string, token: string): string => `${prefix}.dead.${durable}.${token}`,
    deadOf: (durable: string | undefined): string => `${prefix}.dead.${durable ?? '*'}.*`,
    stateKey: (key: string): string => `${statePrefix}${key}`,
    stateBelow: (key: string): string => `${statePrefix}${key}.>`,
    keyOf: (subject: string): string => subject.slice(statePrefix.length),

    /** The event's type, and whether it is a dead letter that comes again. */
    readSubject(subject: string): { type: string; isReplay: boolean } {
      const isReplay = subject.startsWith(replayPrefix);
      const tokens = subject.slice((isReplay ? replayPrefix : eventPrefix).length).split('.');
      return { type: tokens.slice(isReplay ? 1 : 0, -1).join('.'), isReplay };
    },

    /**
     * The filters of a durable name. JetStream refuses filters that overlap; then every event comes, and the consumer chooses.
     */
    filters(durable: string, patterns: readonly string[]): string[] {
      const chosen = overlapAnywhere(patterns) ? ['>'] : patterns;
      return [...chosen.map((pattern) => eventPrefix + withIdToken(pattern)), `${replayPrefix}${durable}.>`].sort();
    },
  };
}

/** 128 bits of an event's id, in the alphabet of subjects. */
const hashOf = (id: string): string => createHash('sha256').update(id).digest('base64url').slice(0, 22);

// A last `>` stands for one or more tokens of the type; the id's token comes after them.
const withIdToken = (pattern: string): string =>
  pattern.endsWith('>') ? `${pattern.slice(0, -1)}*.>` : `${pattern}.*`;

const overlapAnywhere = (patterns: readonly string[]): boolean =>
  patterns.some((a, i) => patterns.slice(i + 1).some((b) => overlap(a.split('.'), b.split('.'))));

function overlap([a, ...restA]: string[], [b, ...restB]: string[]): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a === '>' || b === '>') return true;
  return (a === '*' || b === '*' || a === b) && overlap(restA, restB);
}
