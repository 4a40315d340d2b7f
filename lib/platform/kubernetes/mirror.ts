// What is in the cluster, kept up to date by a watch: looking costs nothing, however often it is done. While the watch is down the mirror says so.
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import { toAppError } from './api-error.ts';
import type { Cluster } from './cluster.ts';
import type { KubeList, KubeObject } from './objects.ts';

export interface MirrorOptions {
  cluster: Cluster;
  /** `/api/v1/namespaces/strata/pods` */
  path: string;
  labelSelector: string;
  log?: Logger | undefined;
}

export interface Mirror<T> {
  /** Whether `get` and `values` tell what is. */
  readonly isLive: boolean;
  /** Resolves when it is live, or cannot be for now. */
  readonly opened: Promise<void>;
  get(name: string): T | undefined;
  values(): Iterable<T>;
  /** What this process has just written, before the watch says so. */
  put(object: T): void;
  remove(name: string): void;
  close(): Promise<void>;
}

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

/** The server ends a watch after so long, and gives a sign of life every minute. */
const watchSeconds = 300;
const silenceMs = 120_000;
const longestPauseMs = 10_000;

export function startMirror<T extends KubeObject>({ cluster, path, labelSelector, log }: MirrorOptions): Mirror<T> {
  const objects = new Map<string, T>();
  const closing = new AbortController();
  const { signal } = closing;
  const opened = Promise.withResolvers<void>();
  let isLive = false;

  async function relist(): Promise<string> {
    const list = await cluster.call<KubeList<T>>({ path, query: { labelSelector }, signal });
    objects.clear();
    for (const object of list.items) objects.set(object.metadata.name, object);
    return list.metadata.resourceVersion;
  }

  /** One watch from that version on, until the server ends it; the version it has come to. */
  async function follow(from: string): Promise<string> {
    let resourceVersion = from;
    const options = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(watchSeconds) };
    const query = { labelSelector, resourceVersion, ...options };
    for await (const line of cluster.lines({ path, query, signal, idleMs: silenceMs })) {
      const { type, object } = JSON.parse(line) as WatchEvent<T>;
      if (type === 'ERROR') throw toAppError((object as { code?: number }).code ?? 500, JSON.stringify(object));
      resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
      if (type === 'DELETED') objects.delete(object.metadata.name);
      else if (type !== 'BOOKMARK') objects.set(object.metadata.name, object);
    }
    return resourceVersion;
  }

  async function run(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        let version = await relist();
        isLive = true;
        failures = 0;
        opened.resolve();
        for (;;) version = await follow(version);
      } catch (error) {
        isLive = false;
        opened.resolve();
        // A version that is too old is no failure: look anew.
        if (signal.aborted || hasCode(error, 'OUT_OF_RANGE')) continue;
        log?.warn({ error, path }, 'cannot be watched for now');
        failures += 1;
        await delay(Math.min(250 * 2 ** failures, longestPauseMs), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  const running = run();
  return {
    get isLive() {
      return isLive;
    },
    opened: opened.promise,
    get: (name) => objects.get(name),
    values: () => objects.values(),
    put: (object) => objects.set(object.metadata.name, object),
    remove: (name) => objects.delete(name),
    async close() {
      closing.abort();
      await running;
    },
  };
}
