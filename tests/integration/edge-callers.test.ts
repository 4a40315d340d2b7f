// Who comes in through the gateway, how often, and what is written about it: over HTTP, over gRPC and as `strata`.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import OpenAI from 'openai';
import { type Payload, readEvent, subjects } from '#lib/contracts/events.ts';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { createApiKey, hashApiKey, type KeyEntry } from '#lib/platform/api-key.ts';
import { Secret } from '#lib/platform/config.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { importModel, type ServingServices, startServing, untilLoaded } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';
import { until as untilSo } from '../support/until.ts';

jest.setTimeout(60_000);

const specs: Record<string, Omit<KeyEntry, 'name' | 'sha256'>> = {
  platform: { scopes: ['admin'] },
  acme: { tenant: 'acme', scopes: ['inference', 'write'] },
  talker: { tenant: 'acme', scopes: ['inference'] },
  reader: { tenant: 'acme', scopes: ['read'] },
  old: { scopes: ['admin'], expires: '2026-01-01' },
  twice: { scopes: ['admin'], limits: { requestsPerMinute: 2 } },
  alone: { scopes: ['admin'], limits: { concurrent: 1 } },
  frugal: { scopes: ['admin'], limits: { tokensPerMinute: 30 } },
};
const keys = Object.fromEntries(Object.keys(specs).map((name) => [name, createApiKey()]));
const entries = () =>
  Object.entries(specs).map(([name, spec]) => ({
    name,
    sha256: hashApiKey(keys[name] ?? '').toString('hex'),
    ...spec,
  }));

const issuer = 'https://login.example.com/';
const audience = 'strata';
const signing = generateKeyPair('ES256', { extractable: true });
const planted = { s3: 'planted-secret-of-s3', nats: 'planted-password-of-nats' };

let home: string;
let services: ServingServices;
let edge: string;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-callers-'));
  writeFileSync(join(home, 'keys.yaml'), JSON.stringify(entries()));
  const jwk = { ...(await exportJWK((await signing).publicKey)), kid: 'k1', alg: 'ES256' };
  writeFileSync(join(home, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  services = await startServing(home, {
    STRATA_GATEWAY_KEYS_FILE: join(home, 'keys.yaml'),
    STRATA_GATEWAY_JWT_ISSUER: issuer,
    STRATA_GATEWAY_JWT_AUDIENCE: audience,
    STRATA_GATEWAY_JWT_JWKS_FILE: join(home, 'jwks.json'),
    STRATA_GATEWAY_GRPC_PORT: '0',
    STRATA_GATEWAY_MAX_UPLOAD_BYTES: '20000000',
    STRATA_S3_SECRET_KEY: planted.s3,
    STRATA_NATS_PASSWORD: planted.nats,
  });
  edge = services.services.gateway.edgeAddress ?? '';
  await importModel(services, 'acme-boats', tinyModel('gpt2', { contextSize: 8192, width: 256 }).files);
  await importModel(services, 'other', tinyModel('gpt2').files);
});
afterAll(async () => {
  for (const each of open) await each.close();
  await services?.stop();
  await rm(home, { recursive: true });
});

function as(credential: string | undefined) {
  const options = credential ? { apiKey: new Secret(keys[credential] ?? credential) } : {};
  const [weightLoader, inference] = [
    connect(WeightLoaderServiceDefinition, edge, options),
    connect(InferenceServiceDefinition, edge, options),
  ];
  open.push(weightLoader, inference);
  return { weightLoader: weightLoader.client, inference: inference.client };
}
const openai = (credential: string) =>
  new OpenAI({ baseURL: `${services.url}/v1`, apiKey: keys[credential] ?? credential, maxRetries: 0 });
const list = (credential: string | undefined) => as(credential).weightLoader.listModels({});
const ask = { model: 'acme-boats', prompt: 'boats', max_tokens: 4 };
const boats = { name: 'acme-boats', version: '' };
const sentence = { $case: 'text' as const, value: 'boats' };

test('without a key, with a wrong one and with one that has expired: 401 and UNAUTHENTICATED, and what to do', async () => {
  const bare = await fetch(`${services.url}/v1/models`);
  expect(bare.status).toBe(401);
  expect(bare.headers.get('www-authenticate')).toBe('Bearer');
  expect(await bare.json()).toEqual({
    error: {
      message: expect.stringContaining('Authorization: Bearer <key>'),
      type: 'authentication_error',
      param: null,
      code: 'unauthenticated',
    },
  });
  await expect(openai('strata_wrong').models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  await expect(openai('old').models.list()).rejects.toThrow(/key "old" expired on 2026-01-01: ask for a new one/);
  for (const credential of [undefined, 'strata_wrong', 'old']) {
    await expect(list(credential)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  }
});

test('however a path is spelt, a key is needed', async () => {
  const { hostname, port } = new URL(services.url);
  const statusOf = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ hostname, port, path }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
  for (const path of [
    '/v1/models',
    '/%76%31/models',
    '/v1/models?x',
    '/v1/%6dodels',
    '/v1/models/other',
    '/v1//models',
    '//v1/models',
    '/v1/models/',
  ]) {
    expect(await statusOf(path)).toBeGreaterThanOrEqual(401);
  }
  expect(await Promise.all(['/', '/healthz', '/readyz'].map(statusOf))).toEqual([200, 200, 200]);
});

test('scopes: what is not granted is refused by its name, over HTTP as over gRPC', async () => {
  await expect(openai('reader').models.list()).rejects.toMatchObject({
    status: 403,
    type: 'permission_error',
    message: expect.stringContaining('"inference"'),
  });
  await expect(list('talker')).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
    message: expect.stringContaining('"read"'),
  });
  await expect(as('reader').weightLoader.rollbackModel({ name: 'acme-boats' })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  });
  expect((await list('reader')).models).toHaveLength(1);
  expect((await list('acme')).models).toHaveLength(1);
  expect((await list('platform')).models).toHaveLength(2);
  await as('talker').inference.listLoadedModels({});
});

test("OpenAI's routes keep tenants apart too: others' models are as unknown as none", async () => {
  expect((await openai('talker').models.list()).data.map(({ id }) => id)).toEqual(['acme-boats']);
  for (const model of ['other', 'other@v1', 'none']) {
    const unknown = { status: 404, code: 'model_not_found' };
    await expect(openai('talker').models.retrieve(model)).rejects.toMatchObject(unknown);
    await expect(openai('talker').completions.create({ ...ask, model })).rejects.toMatchObject(unknown);
    const messages = [{ role: 'user' as const, content: 'a' }];
    await expect(openai('talker').chat.completions.create({ model, messages })).rejects.toMatchObject(unknown);
  }
  expect((await openai('talker').completions.create(ask)).usage?.completion_tokens).toBe(4);
});

const token = async (claims: object, change: (jwt: SignJWT) => SignJWT = (jwt) => jwt) =>
  change(
    new SignJWT({ scope: 'inference read', tenant: 'acme', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setSubject('ann')
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime('5m'),
  ).sign((await signing).privateKey);

test('a JSON web token counts as a key of its tenant with its scopes', async () => {
  const jwt = await token({});
  expect((await list(jwt)).models.map(({ name }) => name)).toEqual(['acme-boats']);
  expect((await openai(jwt).models.list()).data).toHaveLength(1);
  await expect(as(jwt).weightLoader.rollbackModel({ name: 'acme-boats' })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  });
  expect((await list(await token({ tenant: undefined, scope: ['admin'] }))).models).toHaveLength(2);
});

test('tokens of another issuer, for others, expired, unsigned, forged, or without tenant are refused by what is wrong', async () => {
  const stranger = await generateKeyPair('ES256');
  const forged = new SignJWT({ tenant: 'acme', scope: 'admin' }).setProtectedHeader({ alg: 'ES256', kid: 'k1' });
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer, aud: audience, sub: 'eve', exp: 4e9, scope: 'admin' };
  const shared = new TextEncoder().encode(readFileSync(join(home, 'jwks.json'), 'utf8'));
  const cases: [string, RegExp][] = [
    [await token({}, (jwt) => jwt.setIssuer('https://elsewhere.example.com/')), /claim "iss"/],
    [await token({}, (jwt) => jwt.setAudience('others')), /claim "aud"/],
    [await token({}, (jwt) => jwt.setExpirationTime(1_000_000_000)), /has expired/],
    [await token({}, (jwt) => jwt.setNotBefore('1h')), /claim "nbf"/],
    [`${encoded({ alg: 'none' })}.${encoded(claims)}.`, /no token that can be read|not accepted|is not known/],
    [`${encoded({ alg: 'none', kid: 'k1' })}.${encoded(claims)}.AA`, /not accepted/],
    [await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(shared), /not accepted/],
    [
      await forged
        .setSubject('eve')
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(stranger.privateKey),
      /wrong signature/,
    ],
    [`${encoded({ alg: 'ES256', kid: 'k1' })}.${encoded(claims)}.AAAA`, /wrong signature|no token/],
  ];
  for (const [jwt, message] of cases) {
    await expect(list(jwt)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(message) });
    await expect(openai(jwt).models.list()).rejects.toMatchObject({ status: 401 });
  }
  await expect(list(await token({ tenant: undefined }))).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
    message: expect.stringContaining('claim "tenant"'),
  });
  await expect(list(await token({ tenant: 'acme-x' }))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
});

test('requests a minute: 429 with Retry-After, RESOURCE_EXHAUSTED; each key for itself', async () => {
  await openai('twice').models.list();
  await list('twice');
  await expect(list('twice')).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/2 requests a minute: try again in \d+ s/),
  });
  const response = await fetch(`${services.url}/v1/models`, { headers: { authorization: `Bearer ${keys.twice}` } });
  expect(response.status).toBe(429);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(20);
  await list('platform');
});

test('calls at once: a stream holds its place until it ends or its caller leaves', async () => {
  const { inference, weightLoader } = as('alone');
  const leaving = new AbortController();
  const stream = inference
    .generate({ model: boats, prompt: sentence }, { signal: leaving.signal })
    [Symbol.asyncIterator]();
  await stream.next();
  await expect(weightLoader.listModels({})).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  await expect(openai('alone').completions.create(ask)).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  leaving.abort();
  await stream.next().catch(() => undefined);
  await until(() =>
    weightLoader.listModels({}).then(
      () => true,
      () => false,
    ),
  );
  await isFree();
});

test('tokens a minute are counted when an answer ends, however it was asked for', async () => {
  await openai('frugal').completions.create({ ...ask, max_tokens: 20 });
  await drain(as('frugal').inference.generate({ model: boats, prompt: sentence, sampling: { maxTokens: 20 } }));
  await expect(openai('frugal').completions.create(ask)).rejects.toMatchObject({
    status: 429,
    message: expect.stringContaining('30 tokens a minute'),
  });
  await expect(list('frugal')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});

test('a deadline and a cancellation outside stop the model inside', async () => {
  const { inference } = as('acme');
  await expect(
    drain(inference.generate({ model: boats, prompt: sentence }, { deadlineMs: 300 })),
  ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await isFree();
  const leaving = new AbortController();
  const answer = drain(inference.generate({ model: boats, prompt: sentence }, { signal: leaving.signal }));
  await untilLoaded(services, (models) => models.some(({ running }) => running === 1));
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await isFree();
});

test('streams, large messages, wrong fields and errors of services come through as they are', async () => {
  const { weightLoader } = as('platform');
  const direct: Buffer[] = [];
  const through: Buffer[] = [];
  for await (const { part } of services.weightLoader.exportModel({ model: boats }))
    if (part?.$case === 'chunk') direct.push(part.value);
  for await (const { part } of weightLoader.exportModel({ model: boats }))
    if (part?.$case === 'chunk') through.push(part.value);
  expect(Buffer.concat(through).equals(Buffer.concat(direct))).toBe(true);
  const wrong = weightLoader.getModel({ model: { name: 'A b', version: '' } });
  await expect(wrong).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'model.name' }] });
  const large = Buffer.alloc(8 * 1024 * 1024, 7);
  async function* parts(chunks = 1) {
    yield { part: { $case: 'header' as const, value: { filename: 'large.bin' } } };
    for (let i = 0; i < chunks; i++) yield { part: { $case: 'chunk' as const, value: large } };
  }
  for (const name of ['platform', 'acme']) {
    const { file } = await as(name).weightLoader.uploadModelFile(parts());
    expect(file).toMatchObject({ sizeBytes: large.length, sha256: createHash('sha256').update(large).digest('hex') });
  }
  await expect(as('acme').weightLoader.uploadModelFile(parts(3))).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining('at most 20000000 bytes'),
  });
  await expect(
    as('acme').weightLoader.importModel({ name: 'boats' })[Symbol.asyncIterator]().next(),
  ).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'name', description: expect.stringContaining('begin with "acme-"') }],
  });
});

test('a service that is away is UNAVAILABLE, and where it would be is not told', async () => {
  const { TokenizerServiceDefinition } = await import('#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts');
  const connection = connect(TokenizerServiceDefinition, edge, { apiKey: new Secret(keys.platform ?? '') });
  open.push(connection);
  const error: unknown = await connection.client
    .trainTokenizer({ name: 'x' })
    [Symbol.asyncIterator]()
    .next()
    .catch((error: unknown) => error);
  expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('tokenizer cannot be reached') });
  expect((error as Error).message).not.toMatch(/:5\d{4}/);
});

test('the keys file counts as it is: a key that is taken out stops, a new one begins, nonsense changes nothing', async () => {
  const path = join(home, 'keys.yaml');
  const added = createApiKey();
  const entry = { name: 'added', sha256: hashApiKey(added).toString('hex'), scopes: ['admin'] };
  writeFileSync(path, JSON.stringify([...entries().filter(({ name }) => name !== 'talker'), entry]));
  await until(() =>
    list(added).then(
      () => true,
      () => false,
    ),
  );
  await expect(openai('talker').models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  writeFileSync(path, `- name: broken\n  key: ${added}\n`);
  await until(async () => logOf().includes('makes no sense'));
  await list(added);
  writeFileSync(path, JSON.stringify(entries()));
  await until(() =>
    openai('talker')
      .models.list()
      .then(
        () => true,
        () => false,
      ),
  );
});

test('`strata` works from outside with an address and a key, and says what it lacks', async () => {
  const strata = (env: Record<string, string>, ...args: string[]) =>
    promisify(execFile)(process.execPath, ['services/cli/main.ts', ...args], {
      cwd: join(__dirname, '../..'),
      env: { PATH: process.env.PATH ?? '', STRATA_HOME: join(home, 'cli'), STRATA_GATEWAY_ADDRESS: edge, ...env },
    });
  const { stdout } = await strata({ STRATA_API_KEY: keys.acme ?? '' }, 'model', 'list', '--json');
  expect(stdout).toContain('acme-boats');
  expect(stdout).not.toContain('"other"');
  await expect(strata({}, 'model', 'list')).rejects.toMatchObject({
    stderr: expect.stringContaining('a key is needed'),
  });
  const { stdout: made } = await strata(
    {},
    'key',
    'create',
    '--json',
    '--name',
    'ci',
    '--tenant',
    'acme',
    '--scope',
    'read',
  );
  const { key, entry } = JSON.parse(made) as { key: string; entry: KeyEntry };
  expect(entry).toEqual({ name: 'ci', tenant: 'acme', scopes: ['read'], sha256: hashApiKey(key).toString('hex') });
});

test('every management call and every refusal is in the audit, once; changes are events too; tokens read off a model are neither', async () => {
  const seen: Payload<'strata.audit.recorded'>[] = [];
  const subscription = await services.platform.events.subscribe({
    subjects: [subjects.auditRecorded],
    handler: async (event) => void seen.push(readEvent(subjects.auditRecorded, event) as (typeof seen)[number]),
  });
  const before = logOf().length;
  await as('acme').weightLoader.promoteModel({ model: { name: 'acme-boats', version: 'v1' }, alias: 'audited' });
  await expect(as('acme').weightLoader.promoteModel({ model: { name: 'other', version: 'v1' } })).rejects.toMatchObject(
    { code: 'NOT_FOUND' },
  );
  await list('acme');
  await openai('acme').completions.create(ask);
  await expect(list('strata_nobody')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  const auditLines = () =>
    logOf()
      .slice(before)
      .split('\n')
      .filter((line) => line.includes('"audit":true'))
      .map((line) => JSON.parse(line) as Record<string, string>);
  await until(async () => auditLines().length >= 4 && seen.length >= 2);
  await subscription.stop();
  const promote = 'strata.weight_loader.v1.WeightLoaderService/PromoteModel';
  expect(auditLines()).toMatchObject([
    {
      key: 'acme',
      tenant: 'acme',
      action: promote,
      resource: 'models/acme-boats',
      outcome: 'OK',
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    },
    { key: 'acme', action: promote, resource: 'models/other', outcome: 'NOT_FOUND' },
    { key: 'acme', action: expect.stringMatching(/ListModels$/), outcome: 'OK' },
    { key: '', tenant: '', outcome: 'UNAUTHENTICATED' },
  ]);
  expect(seen.map(({ resource, outcome }) => [resource, outcome])).toEqual([
    ['models/acme-boats', 'OK'],
    ['models/other', 'NOT_FOUND'],
  ]);
});

test('no key, token or password is in logs, events, state or manifests', async () => {
  const jwt = await token({});
  await list(jwt);
  const [main, log] = ['services/gateway/main.ts', 'services.log'];
  const started = execFile(process.execPath, [main], {
    cwd: join(__dirname, '../..'),
    env: {
      PATH: process.env.PATH ?? '',
      STRATA_HOME: home,
      STRATA_GATEWAY_PORT: '0',
      STRATA_GATEWAY_KEYS_FILE: join(home, 'keys.yaml'),
      STRATA_S3_SECRET_KEY: planted.s3,
      STRATA_NATS_PASSWORD: planted.nats,
      STRATA_API_KEY: keys.acme,
    },
  });
  let output = '';
  started.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  await until(async () => output.includes('"serving"'));
  started.kill('SIGTERM');
  expect(output).toContain('effective configuration');
  const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  expect(files.some(({ name }) => name === log)).toBe(true);
  const contents = [output, ...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))];
  for (const secret of [...Object.values(keys), jwt, jwt.split('.')[2] ?? '', planted.s3, planted.nats]) {
    expect(contents.some((content) => content.includes(secret))).toBe(false);
  }
});

const logOf = () => readFileSync(join(home, 'services.log'), 'utf8');
const isFree = () => untilLoaded(services, (models) => models.every(({ running, waiting }) => !running && !waiting));
async function drain(responses: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of responses);
}
const until = (isSo: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(isSo, { known: () => `the log ends:\n${logOf().slice(-2000)}` });
