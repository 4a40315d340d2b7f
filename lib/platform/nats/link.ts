// A connection that outlives its server. The client reconnects for ever, but what was under way when a connection broke is never answered,
// and what is sent while there is none is dropped without a word. So all that matters is done through `persist`, which does it again.
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { AppError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { ConnectionLost, isTransient, toAppError } from './errors.ts';

export interface PersistOptions {
  /** Default: the link's. */
  patienceMs?: number;
  /** Ends the patience: what is tried once is tried once. */
  signal?: AbortSignal;
}

export interface Link {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /**
   * Does something that may be done twice until it succeeds. UNAVAILABLE when the server was away for longer than the patience;
   * an error that is not the connection's ends it at once.
   */
  persist<T>(what: string, attempt: () => Promise<T>, options?: PersistOptions): Promise<T>;
  /** Calls back after each reconnection; returns how to stop that. */
  onReconnect(listener: () => void): () => void;
}

export interface LinkOptions {
  /** In messages. */
  address: string;
  patienceMs: number;
  log?: Logger | undefined;
}

const requestTimeoutMs = 5000;

export async function createLink(nc: NatsConnection, { address, patienceMs, log }: LinkOptions): Promise<Link> {
  const js = jetstream(nc, { timeout: requestTimeoutMs });
  const jsm = await jetstreamManager(nc, { timeout: requestTimeoutMs, checkAPI: false });
  const underWay = new Set<() => void>();
  const listeners = new Set<() => void>();
  let isUp = true;

  const follow = async (): Promise<void> => {
    for await (const { type } of nc.status()) {
      if (type === 'disconnect') {
        isUp = false;
        log?.warn({ address }, 'NATS is away; reconnecting');
        for (const lost of [...underWay]) lost();
      }
      if (type === 'reconnect') {
        isUp = true;
        log?.info({ address }, 'NATS is back');
        for (const listener of [...listeners]) listener();
      }
    }
    isUp = false;
  };
  void follow();

  /** Rejects as soon as the connection breaks; the set of those under way keeps nothing of what has ended. */
  const orLost = <T>(attempt: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const lost = (): void => reject(new ConnectionLost(`the connection to ${address} broke`));
      if (!isUp && !nc.isClosed()) return lost();
      underWay.add(lost);
      attempt()
        .then(resolve, reject)
        .finally(() => underWay.delete(lost));
    });

  return {
    nc,
    js,
    jsm,
    async persist(what, attempt, { patienceMs: patience = patienceMs, signal } = {}) {
      const end = Date.now() + patience;
      for (let tries = 0; ; tries++) {
        try {
          return await orLost(attempt);
        } catch (error) {
          if (!isTransient(error)) throw toAppError(what, error);
          signal?.throwIfAborted();
          if (Date.now() >= end) throw unavailable(what, address, error);
        }
        await delay(Math.min(20 * 2 ** tries, 250), undefined, { signal });
      }
    },
    onReconnect(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const unavailable = (what: string, address: string, cause: unknown): AppError =>
  new AppError('UNAVAILABLE', `NATS at ${address} does not answer (${what}): ${(cause as Error).message}`, { cause });
