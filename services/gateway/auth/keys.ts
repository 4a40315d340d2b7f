// The keys file: a list of entries with hashes, never keys. It may change while we run; one that makes no sense changes nothing.
import { timingSafeEqual } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { hashApiKey, type KeyEntry, keyEntrySchema } from '#lib/platform/api-key.ts';
import { AppError } from '#lib/platform/errors.ts';
import { followFiles } from '#lib/platform/follow-files.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Principal } from './principal.ts';

export interface Keys {
  /** @throws {AppError} UNAUTHENTICATED for a key that is unknown or has expired */
  find(key: string, now: Date): Principal;
  stop(): void;
}

export interface KeysOptions {
  log: Logger;
  /** How often the file is looked at: so long a revoked key goes on counting. Default 2 s. */
  everyMs?: number | undefined;
}

/** @throws {ConfigError} where the file cannot be read or makes no sense */
export function openKeys(path: string, { log, everyMs = 2000 }: KeysOptions): Keys {
  const followed = followFiles({
    files: { STRATA_GATEWAY_KEYS_FILE: path },
    parse: ([content]) => parseKeys(String(content)),
    everyMs,
    onChange: (keys) => log.info({ keys: keys.map(({ name }) => name) }, 'new keys'),
    onProblem: (error) =>
      log.error({ reason: error.message }, 'the keys file makes no sense; the old keys go on counting'),
  });
  return {
    find: (key, now) => toPrincipal(findEntry(followed.current, key), now),
    stop: () => followed.stop(),
  };
}

/** JSON is YAML too. The messages never show what stands in the file: somebody may have put a key there. */
export function parseKeys(text: string): KeyEntry[] {
  const { data, error } = z.array(keyEntrySchema).safeParse(readYaml(text));
  if (error) throw new Error(error.issues.map(({ path, message }) => `[${path.join('.')}] ${message}`).join('; '));
  for (const field of ['name', 'sha256'] as const) {
    const seen = data.map((entry) => entry[field]);
    const twice = data.find((entry, i) => seen.indexOf(entry[field]) !== i);
    if (twice) throw new Error(`"${twice.name}" has the same ${field} as another entry`);
  }
  return data;
}

function readYaml(text: string): unknown {
  try {
    return parseYaml(text) ?? [];
  } catch (error) {
    const { linePos } = error as { linePos?: { line: number }[] };
    throw new Error(`is neither JSON nor YAML (line ${linePos?.[0]?.line ?? '?'})`);
  }
}

/** Compares with every entry in constant time, so that time says nothing about hashes. */
function findEntry(entries: readonly KeyEntry[], key: string): KeyEntry | undefined {
  const presented = hashApiKey(key);
  let found: KeyEntry | undefined;
  for (const entry of entries) if (timingSafeEqual(Buffer.from(entry.sha256, 'hex'), presented)) found = entry;
  return found;
}

function toPrincipal(entry: KeyEntry | undefined, now: Date): Principal {
  if (!entry) throw new AppError('UNAUTHENTICATED', 'this key is not known: check it, or ask for one');
  const { name, tenant, scopes, expires, limits = {} } = entry;
  if (expires && Date.parse(expires) <= now.getTime())
    throw new AppError('UNAUTHENTICATED', `key "${name}" expired on ${expires}: ask for a new one`);
  return { name, kind: 'key', tenant, scopes, limits };
}
