// Mutual TLS between services, with real certificates.

import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import {
  TokenizerServiceDefinition,
  type TokenizerServiceImplementation,
} from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { readConfig } from '#lib/platform/config.ts';
import { connect, createConnect } from '#lib/platform/grpc-client.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { clientCredentials, type TlsFiles } from '#lib/platform/tls.ts';
import { createHttpServer } from '../../services/gateway/http-server.ts';
import { createAuthority } from '../support/certificates.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-tls-'));
const ours = createAuthority(folder, 'ours');
const theirs = createAuthority(folder, 'theirs');
const client = ours.issue('client');
const lines: string[] = [];
const log = createLogger({ service: 'tokenizer', destination: { write: (line) => void lines.push(line) } });
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function serve(files: Partial<TlsFiles>, everyMs = 10_000) {
  const implementation = new Proxy({}, { get: () => async () => ({ count: 3 }) }) as TokenizerServiceImplementation;
  const services = [implement(TokenizerServiceDefinition, implementation)];
  const server = await serveGrpc({
    services,
    bind: '127.0.0.1',
    port: 0,
    log,
    drainMs: 200,
    ...files,
    tlsEveryMs: everyMs,
  });
  open.push(() => server.stop());
  return server;
}

function call(address: string, files: Partial<TlsFiles>) {
  const connection = connect(TokenizerServiceDefinition, address, { credentials: clientCredentials(files) });
  open.push(() => connection.close());
  return connection.client.countTokens({});
}

test('both sides show certificates of one authority: the call goes through, by name and by address', async () => {
  const { port } = await serve(ours.issue('server'));
  expect(await call(`127.0.0.1:${port}`, client)).toEqual({ count: 3 });
  expect(await call(`localhost:${port}`, client)).toEqual({ count: 3 });
});

test('createConnect takes the files from the configuration', async () => {
  const { address } = await serve(ours.issue('server'));
  const config = readConfig(platformSettings, {
    STRATA_TLS_CERT_FILE: client.tlsCertFile,
    STRATA_TLS_KEY_FILE: client.tlsKeyFile,
    STRATA_TLS_CA_FILE: client.tlsCaFile,
  });
  const connection = createConnect(config)(TokenizerServiceDefinition, address);
  open.push(() => connection.close());
  expect(await connection.client.countTokens({})).toEqual({ count: 3 });
});

test('a server of another authority is not trusted, and the error says which setting is about it', async () => {
  const { address } = await serve(theirs.issue('server'));
  await expect(call(address, client)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/TokenizerService at .* of another authority: STRATA_TLS_CA_FILE/),
  });
});

test('a client of another authority, one without certificate and one that speaks plain are refused', async () => {
  const { address } = await serve(ours.issue('server'));
  const foreign = { ...theirs.issue('foreign'), tlsCaFile: ours.caFile };
  for (const files of [foreign, {}]) {
    await expect(call(address, files)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/hangs up: both sides need STRATA_TLS_CERT_FILE/),
    });
  }
  const [, port] = address.split(':');
  const socket = connectTls({
    port: Number(port),
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const ended = await new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')).on('end', () => resolve('end'));
    socket.resume();
  });
  expect(ended).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|end/);
});

test("a certificate that does not carry the service's name is refused by what is wrong with it", async () => {
  const { address } = await serve(ours.issue('elsewhere', ['elsewhere.example.com']));
  await expect(call(address, client)).rejects.toThrow(/certificate is for another name/);
});

test('new files count for the next connection without a restart; half of them do not', async () => {
  const files = ours.issue('rotated');
  const { address } = await serve(files, 20);
  const first = serialIn(files.tlsCertFile);
  expect(await serialAt(address)).toBe(first);
  const next = ours.issue('next');
  lines.length = 0;
  copyFileSync(next.tlsCertFile, files.tlsCertFile);
  await untilLogged('make no sense');
  expect(await serialAt(address)).toBe(first);
  copyFileSync(next.tlsKeyFile, files.tlsKeyFile);
  await untilLogged('"new certificates"');
  expect(await serialAt(address)).toBe(serialIn(next.tlsCertFile));
  expect(await call(address, client)).toEqual({ count: 3 });
});

test("the gateway's own certificate is replaced in the same way", async () => {
  const { tlsCertFile: cert, tlsKeyFile: key } = ours.issue('outside');
  const app = createHttpServer({ log, maxBodyBytes: 1e6, certificateFiles: { cert, key }, tlsEveryMs: 20 });
  await app.listen({ host: '127.0.0.1', port: 0 });
  open.push(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  expect(await serialAt(`127.0.0.1:${port}`)).toBe(serialIn(cert));
  lines.length = 0;
  ours.issue('outside');
  await untilLogged('"new certificates"');
  expect(await serialAt(`127.0.0.1:${port}`)).toBe(serialIn(cert));
});

test('a new authority reaches servers and clients that run', async () => {
  const bundle = join(folder, 'bundle.crt');
  copyFileSync(ours.caFile, bundle);
  const { address } = await serve({ ...ours.issue('server'), tlsCaFile: bundle }, 20);
  const foreign = { ...theirs.issue('foreign'), tlsCaFile: ours.caFile };
  await expect(call(address, foreign)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  lines.length = 0;
  writeFileSync(bundle, Buffer.concat([readFileSync(ours.caFile), readFileSync(theirs.caFile)]));
  await untilLogged('"new certificates"');
  expect(await call(address, foreign)).toEqual({ count: 3 });
});

test('some of the three settings, files that are away, and a key of another certificate are configuration errors', async () => {
  expect(() => readConfig(platformSettings, { STRATA_TLS_CERT_FILE: client.tlsCertFile })).toThrow(
    /STRATA_TLS_KEY_FILE is required\n {2}STRATA_TLS_CA_FILE is required/,
  );
  await expect(serve({ ...client, tlsKeyFile: join(folder, 'none.key') })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/STRATA_TLS_KEY_FILE: .*none\.key cannot be read \(ENOENT\)/),
  });
  const mixed = { ...client, tlsKeyFile: ours.issue('other').tlsKeyFile };
  await expect(serve(mixed)).rejects.toThrow(/STRATA_TLS_CERT_FILE.*key values mismatch/i);
});

async function serialAt(address: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
  const serial = await new Promise<string>((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate()?.serialNumber ?? ''));
    socket.once('error', reject);
  });
  socket.destroy();
  return serial;
}

const serialIn = (file: string) => new X509Certificate(readFileSync(file)).serialNumber;

const untilLogged = (words: string): Promise<void> =>
  until(() => lines.some((line) => line.includes(words)), { known: () => `the log:\n${lines.join('')}` });
