import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createAuthority } from '../../../tests/support/certificates.ts';
import { readConfig } from '../config.ts';
import { testEvent } from '../contract/test-event.ts';
import { createCredentials } from './credentials.fixture.ts';
import { type NatsServer, startNatsServer } from './nats-server.fixture.ts';
import { openNats } from './open-nats.ts';
import { natsSettings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-nats-tls-'));
const servers: NatsServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.dispose()));
  rmSync(folder, { recursive: true });
});

async function serve(...lines: string[]): Promise<NatsServer> {
  const server = await startNatsServer({ lines });
  servers.push(server);
  return server;
}

const open = (env: Record<string, string>) =>
  openNats(readConfig(natsSettings, { STRATA_NATS_PATIENCE_MS: '500', ...env }));

/** Opens, writes, reads, closes. */
async function works(env: Record<string, string>): Promise<boolean> {
  const broker = await open(env);
  await broker.events.publish(testEvent('1'));
  await broker.state.put('k', 1);
  const entry = await broker.state.get('k');
  await broker.close();
  return entry?.value === 1;
}

test('where no server answers, the error names the address and what to do', async () => {
  const server = await serve();
  await server.kill();
  await expect(open({ STRATA_NATS_URL: server.url })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(
      /^NATS does not answer at nats:\/\/127\.0\.0\.1:\d+ \(.*\): start it or set STRATA_NATS_URL; STRATA_BROKER=embedded/,
    ),
  });
});

test('a server that comes up a little later is waited for', async () => {
  const server = await serve();
  await server.kill();
  const opening = works({ STRATA_NATS_URL: server.url, STRATA_NATS_PATIENCE_MS: '10000' });
  await server.start();
  expect(await opening).toBe(true);
});

test('user and password open the door; wrong ones are refused at once, and no message shows them', async () => {
  const { url } = await serve('authorization { user: strata, password: "s3cret" }');
  const env = { STRATA_NATS_URL: url, STRATA_NATS_USER: 'strata', STRATA_NATS_PATIENCE_MS: '20000' };
  expect(await works({ ...env, STRATA_NATS_PASSWORD: 's3cret' })).toBe(true);
  for (const wrong of [{ ...env, STRATA_NATS_PASSWORD: 'guess3d' }, { STRATA_NATS_URL: url }]) {
    const error = await open(wrong).catch((failure) => failure);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining('STRATA_NATS_PASSWORD') });
    expect(error.message).not.toContain('guess3d');
  }
});

test("a credentials file opens the door, also one that was replaced meanwhile; a stranger's does not", async () => {
  const { lines, creds } = createCredentials();
  const server = await serve(...lines);
  const file = join(folder, 'user.creds');
  const env = { STRATA_NATS_URL: server.url, STRATA_NATS_CREDENTIALS_FILE: file, STRATA_NATS_PATIENCE_MS: '10000' };
  writeFileSync(file, createCredentials().creds);
  await expect(open(env)).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
    message: expect.stringContaining('STRATA_NATS_CREDENTIALS_FILE'),
  });
  writeFileSync(file, creds);
  expect(await works(env)).toBe(true);
  await expect(open({ ...env, STRATA_NATS_CREDENTIALS_FILE: '/nowhere.creds' })).rejects.toThrow('/nowhere.creds');
});

test('TLS: the server is checked against our authority, and we are checked against its', async () => {
  const authority = createAuthority(folder);
  const { tlsCertFile, tlsKeyFile } = authority.issue('nats');
  const client = authority.issue('client');
  const { address } = await serve(
    `tls { cert_file: "${tlsCertFile}", key_file: "${tlsKeyFile}", ca_file: "${authority.caFile}", verify: true }`,
  );
  const env = {
    STRATA_NATS_URL: `tls://${address}`,
    STRATA_NATS_CA_FILE: authority.caFile,
    STRATA_NATS_CERT_FILE: client.tlsCertFile,
    STRATA_NATS_KEY_FILE: client.tlsKeyFile,
  };
  expect(await works(env)).toBe(true);
  const stranger = createAuthority(folder, 'stranger').caFile;
  const { STRATA_NATS_CERT_FILE: _, STRATA_NATS_KEY_FILE: __, ...withoutCertificate } = env;
  await expect(open({ ...env, STRATA_NATS_CA_FILE: stranger })).rejects.toThrow('STRATA_NATS_CA_FILE');
  await expect(open({ ...env, STRATA_NATS_CA_FILE: '/nowhere.pem' })).rejects.toThrow('STRATA_NATS_CA_FILE');
  await expect(open(withoutCertificate)).rejects.toThrow('certificate of us');
});

test('who asks for TLS is never served without it', async () => {
  const { address } = await serve();
  await expect(open({ STRATA_NATS_URL: `tls://${address}` })).rejects.toThrow(/tls/i);
});

test('a server without JetStream is told as such', async () => {
  const server = await startNatsServer({ lines: ['jetstream: disabled'] });
  servers.push(server);
  await expect(open({ STRATA_NATS_URL: server.url })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('start it with --jetstream'),
  });
});

test('copies that a single server cannot keep are refused with its reason', async () => {
  const { url } = await serve();
  await expect(open({ STRATA_NATS_URL: url, STRATA_NATS_REPLICAS: '3' })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('replicas'),
  });
});

test('two installations share a server and see nothing of each other', async () => {
  const { url } = await serve();
  const [a, b] = [
    await open({ STRATA_NATS_URL: url, STRATA_NATS_PREFIX: 'a' }),
    await open({ STRATA_NATS_URL: url, STRATA_NATS_PREFIX: 'a-b' }),
  ];
  const seen: string[] = [];
  for (const [name, { events }] of [['a', a] as const, ['b', b] as const]) {
    await events.subscribe({
      durable: 'd',
      subjects: ['strata.>'],
      handler: async ({ id }) => void seen.push(`${name}${id}`),
    });
  }
  await a.state.put('k', 'a');
  expect(await b.state.get('k')).toBeUndefined();
  await b.events.publish(testEvent('2'));
  await a.events.publish(testEvent('1'));
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(seen.sort()).toEqual(['a1', 'b2']);
  await Promise.all([a.close(), b.close()]);
});
