import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createApiKey, hashApiKey, permits } from '#lib/platform/api-key.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openKeys, parseKeys } from './keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hash = (key: string) => hashApiKey(key).toString('hex');
const log = createLogger({ service: 'gateway', level: 'silent' });

test('a list in YAML or JSON; an empty file is an empty list', () => {
  const entry = { name: 'ci', sha256: hash('k'), tenant: 'acme', scopes: ['inference', 'read'] };
  const yaml = `- name: ci\n  sha256: ${hash('k')}\n  tenant: acme\n  scopes: [inference, read]\n  # a remark\n`;
  expect(parseKeys(yaml)).toEqual([entry]);
  expect(parseKeys(JSON.stringify([entry]))).toEqual([entry]);
  expect(parseKeys('')).toEqual([]);
});

test.each([
  ['no list', 'name: ci', /expected array/i],
  [
    'a key instead of its hash',
    '- {name: ci, key: strata_secret, scopes: [read]}',
    /\[0\.sha256\].*Unrecognized key: "key"/,
  ],
  [
    'a tenant with a dash',
    `- {name: ci, sha256: ${hash('k')}, scopes: [read], tenant: ac-me}`,
    /\[0\.tenant\] .*without dashes/,
  ],
  ['a scope that is none', `- {name: ci, sha256: ${hash('k')}, scopes: [all]}`, /\[0\.scopes\.0\]/],
  ['no scope', `- {name: ci, sha256: ${hash('k')}, scopes: []}`, /at least one scope/],
  [
    'a date that is none',
    `- {name: ci, sha256: ${hash('k')}, scopes: [read], expires: soon}`,
    /\[0\.expires\] must be a date/,
  ],
  ['a name twice', `- &a {name: ci, sha256: ${hash('k')}, scopes: [read]}\n- *a`, /"ci" has the same name/],
  ['no YAML', '- {name: strata_secret', /neither JSON nor YAML \(line 1\)/],
])('%s is refused by its place, and what stands there is not repeated', (_, text, message) => {
  expect(() => parseKeys(text)).toThrow(message);
  expect(() => parseKeys(text)).not.toThrow(/strata_secret/);
});

test('a key is found by its hash alone, until it expires', () => {
  const path = join(folder, 'keys.yaml');
  const key = createApiKey();
  const expires = '2027-01-31T00:00:00Z';
  writeFileSync(path, JSON.stringify([{ name: 'ci', sha256: hash(key), scopes: ['read'], expires }]));
  const keys = openKeys(path, { log });
  const day = (text: string) => new Date(text);
  expect(keys.find(key, day('2027-01-30'))).toMatchObject({ name: 'ci', tenant: undefined, scopes: ['read'] });
  expect(() => keys.find(key, day('2027-01-31'))).toThrow(/key "ci" expired on/);
  expect(() => keys.find(hash(key), day('2027-01-30'))).toThrow(/not known/);
  keys.stop();
  expect(() => openKeys(join(folder, 'none'), { log })).toThrow(/STRATA_GATEWAY_KEYS_FILE: .*ENOENT/);
});

test('keys have 256 bits of chance; scopes include what they say', () => {
  expect(createApiKey()).toMatch(/^strata_[\w-]{43}$/);
  expect(createApiKey()).not.toBe(createApiKey());
  expect([permits(['write'], 'read'), permits(['read'], 'write'), permits(['write'], 'inference')]).toEqual([
    true,
    false,
    false,
  ]);
  expect(permits(['admin'], 'inference')).toBe(true);
});
