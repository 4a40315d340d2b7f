// The tables of the embedded event bus, and every statement over them. Each function here is one transaction.
//
//   events        what was published, kept for de-duplication and for new durable names
//   consumers     durable names and the subjects they want
//   deliveries    one row for each event that a durable name has still to handle; the lease is (attempts, due_at)
//   dead_letters  what could not be handled, and why
import type { DeadLetter, StrataEvent } from '../event-bus.ts';
import { subjectMatches } from '../event-bus.ts';
import type { Database } from './database.ts';

const schema = `
  create table if not exists events (
    seq integer primary key autoincrement, id text not null unique, type text not null, body text not null, published_at integer not null
  ) strict;
  create table if not exists consumers (durable text primary key, subjects text not null) strict;
  create table if not exists deliveries (
    durable text not null, seq integer not null, attempts integer not null default 0, due_at integer not null,
    primary key (durable, seq)
  ) strict, without rowid;
  create index if not exists deliveries_due on deliveries (durable, due_at);
  create table if not exists dead_letters (
    id integer primary key autoincrement, durable text not null, body text not null, reason text not null,
    attempts integer not null, died_at integer not null
  ) strict;
`;

/** An event handed out until `due_at`: only whoever holds this attempt may settle it. */
export interface Claim {
  durable: string;
  seq: number;
  attempt: number;
  event: StrataEvent;
}

export interface Retention {
  maxAgeMs: number;
  maxEvents: number;
}

export type EventStore = ReturnType<typeof createEventStore>;

export function createEventStore(database: Database) {
  const { sql, transaction } = database;
  sql.exec(schema);
  const insertEvent = sql.prepare('insert or ignore into events (id, type, body, published_at) values (?, ?, ?, ?)');
  const consumers = sql.prepare('select durable, subjects from consumers');
  const insertDelivery = sql.prepare('insert or ignore into deliveries (durable, seq, due_at) values (?, ?, ?)');
  const claimNext = sql.prepare(
    `update deliveries set attempts = attempts + 1, due_at = ?
     where durable = ? and seq = (select seq from deliveries where durable = ? and due_at <= ? order by seq limit 1)
     returning seq, attempts`,
  );
  const bodyOf = sql.prepare('select body from events where seq = ?');
  const nextDue = sql.prepare('select min(due_at) as due_at from deliveries where durable = ?');
  const countOf = sql.prepare('select count(*) as count from deliveries where durable = ?');
  const countDead = sql.prepare('select count(*) as count from dead_letters where durable = ?');
  const reschedule = sql.prepare('update deliveries set due_at = ? where durable = ? and seq = ? and attempts = ?');
  const giveBack = sql.prepare(
    'update deliveries set due_at = ?, attempts = attempts - 1 where durable = ? and seq = ? and attempts = ?',
  );
  const remove = sql.prepare('delete from deliveries where durable = ? and seq = ? and attempts = ?');
  const insertDead = sql.prepare(
    'insert into dead_letters (durable, body, reason, attempts, died_at) values (?, ?, ?, ?, ?)',
  );

  const deliverTo = (durable: string, subjects: string[], seq: number | bigint, type: string, now: number): void => {
    if (subjects.some((pattern) => subjectMatches(pattern, type))) insertDelivery.run(durable, seq, now);
  };

  return {
    publish(event: StrataEvent, body: string, now: number): void {
      transaction(() => {
        const { changes, lastInsertRowid } = insertEvent.run(event.id, event.type, body, now);
        if (changes === 0) return;
        for (const row of consumers.all() as { durable: string; subjects: string }[]) {
          deliverTo(row.durable, JSON.parse(row.subjects), lastInsertRowid, event.type, now);
        }
      });
    },

    /** Registers a durable name. A new one is given the events that are kept, unless `from` is `new`. */
    register(durable: string, subjects: string[], from: 'all' | 'new', now: number): void {
      transaction(() => {
        const isKnown = sql.prepare('select 1 from consumers where durable = ?').get(durable) !== undefined;
        sql.prepare('insert or replace into consumers values (?, ?)').run(durable, JSON.stringify(subjects));
        if (isKnown || from === 'new') return;
        for (const { seq, type } of sql.prepare('select seq, type from events').all() as {
          seq: number;
          type: string;
        }[]) {
          deliverTo(durable, subjects, seq, type, now);
        }
      });
    },

    /** Drops the names that are meant, with what waits for them. */
    forget(isMeant: (durable: string) => boolean): void {
      transaction(() => {
        const names = (consumers.all() as { durable: string }[]).map(({ durable }) => durable);
        for (const durable of names.filter(isMeant)) {
          sql.prepare('delete from consumers where durable = ?').run(durable);
          sql.prepare('delete from deliveries where durable = ?').run(durable);
        }
      });
    },

    /** Takes the oldest due event until `now + ackWaitMs`. */
    claim(durable: string, ackWaitMs: number, now: number): Claim | undefined {
      return transaction(() => {
        const row = claimNext.get(now + ackWaitMs, durable, durable, now) as
          | { seq: number; attempts: number }
          | undefined;
        if (!row) return undefined;
        const { body } = bodyOf.get(row.seq) as { body: string };
        return { durable, seq: row.seq, attempt: row.attempts, event: JSON.parse(body) as StrataEvent };
      });
    },

    /** When the next delivery of this name is due; undefined where none is waiting. */
    nextDue: (durable: string): number | undefined =>
      (nextDue.get(durable) as { due_at: number | null }).due_at ?? undefined,

    waiting: (durable: string): number => (countOf.get(durable) as { count: number }).count,
    buried: (durable: string): number => (countDead.get(durable) as { count: number }).count,

    extend: (claim: Claim, dueAt: number): void => void transaction(() => reschedule.run(dueAt, ...leaseOf(claim))),
    retry: (claim: Claim, dueAt: number): void => void transaction(() => reschedule.run(dueAt, ...leaseOf(claim))),
    release: (claim: Claim, now: number): void => void transaction(() => giveBack.run(now, ...leaseOf(claim))),
    acknowledge: (claim: Claim): void => void transaction(() => remove.run(...leaseOf(claim))),

    bury(claim: Claim, reason: string, now: number): void {
      transaction(() => {
        if (remove.run(...leaseOf(claim)).changes === 0) return;
        insertDead.run(claim.durable, JSON.stringify(claim.event), reason, claim.attempt, now);
      });
    },

    deadLetters(durable: string | undefined, limit: number): DeadLetter[] {
      const rows = sql
        .prepare('select * from dead_letters where ? is null or durable = ? order by id desc limit ?')
        .all(durable ?? null, durable ?? null, limit) as unknown as DeadRow[];
      return rows.map(toDeadLetter);
    },

    /** Puts a dead letter back as if it had never been delivered. False for an unknown id. */
    replay(id: string, now: number): boolean {
      return transaction(() => {
        const row = sql.prepare('delete from dead_letters where id = ? returning *').get(Number(id)) as
          | DeadRow
          | undefined;
        if (!row) return false;
        const event = JSON.parse(row.body) as StrataEvent;
        insertEvent.run(event.id, event.type, row.body, now);
        const { seq } = sql.prepare('select seq from events where id = ?').get(event.id) as { seq: number };
        insertDelivery.run(row.durable, seq, now);
        return true;
      });
    },

    clear: (): void =>
      transaction(() => sql.exec('delete from deliveries; delete from events; delete from dead_letters')),

    /** Drops events that are too old or too many, but none that somebody has still to handle. */
    prune({ maxAgeMs, maxEvents }: Retention, now: number): void {
      transaction(() =>
        sql
          .prepare(
            `delete from events where (published_at < ? or seq <= (select max(seq) from events) - ?)
             and seq not in (select seq from deliveries)`,
          )
          .run(now - maxAgeMs, maxEvents),
      );
    },
  };
}

interface DeadRow {
  id: number;
  durable: string;
  body: string;
  reason: string;
  attempts: number;
  died_at: number;
}

const leaseOf = ({ durable, seq, attempt }: Claim): [string, number, number] => [durable, seq, attempt];

const toDeadLetter = (row: DeadRow): DeadLetter => ({
  id: String(row.id),
  durable: row.durable,
  event: JSON.parse(row.body) as StrataEvent,
  reason: row.reason,
  attempts: row.attempts,
  time: new Date(row.died_at).toISOString(),
});
