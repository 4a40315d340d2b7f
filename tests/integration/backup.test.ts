// The two commands, as a user runs them: from a laptop to NATS and S3 and back. What was there generates the same text there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { lockHome } from '#lib/platform/embedded/home-lock.ts';
import { describeWithMinio } from '../support/describe-with-minio.ts';
import { type RealBackends, startRealBackends } from '../support/real-backends.ts';
import { importModel, type ServingServices, startServing } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';

const program = join(__dirname, '../../services/cli/main.ts');
type Environment = Readonly<Record<string, string>>;

let folder: string;
const running: ServingServices[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strata-backup-'));
});
afterEach(async () => {
  for (const services of running.splice(0)) await services.stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const environment = (env: Environment) => ({ PATH: process.env.PATH, HOME: process.env.HOME, ...env });

/** Runs `strata backup …`: its exit code and what it said. */
async function backup(args: string[], env: Environment, input?: string) {
  const child = spawn(process.execPath, [program, 'backup', ...args], {
    env: environment(env),
  });
  if (input) createReadStream(input).pipe(child.stdin);
  else child.stdin.end();
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const [code] = await once(child, 'close');
  return { code, said };
}

async function serve(name: string, env: Environment = {}): Promise<ServingServices> {
  const services = await startServing(join(folder, name), env);
  running.push(services);
  return services;
}

async function story({ inference, weightLoader }: ServingServices) {
  let text = '';
  const prompt = { $case: 'text', value: 'A boat' } as const;
  const request = { model: { name: 'tiny', version: 'liked' }, prompt, sampling: { maxTokens: 24, temperature: 0 } };
  for await (const part of inference.generate(request)) text += part.text;
  const { model } = await weightLoader.getModel({ model: { name: 'tiny', version: '' } });
  return { text, model };
}

const home = (name: string): Environment => ({ STRATA_HOME: join(folder, name) });

test('the services of a home have to be stopped before something is restored into it', async () => {
  const lock = lockHome(join(folder, 'locked'));
  const { code, said } = await backup(['restore', join(folder, 'none.tar')], home('locked'));
  lock.release();
  expect([code, said]).toEqual([4, expect.stringContaining('run already')]);
});

test('a restore whose process is killed has left no state, and is done again with the same archive', async () => {
  const laptop = await serve('first');
  await importModel(laptop, 'tiny', tinyModel('gpt2', { contextSize: 4096, width: 256 }).files);
  const archive = join(folder, 'first.tar');
  expect(await backup(['create', archive], home('first'))).toMatchObject({ code: 0 });

  const child = spawn(process.execPath, [program, 'backup', 'restore', '-'], { env: environment(home('killed')) });
  const closed = once(child, 'close');
  child.stdin.on('error', () => undefined); // it dies while it is written to
  // All but the last files, and no end.
  createReadStream(archive, { end: (await stat(archive)).size - 8192 }).pipe(child.stdin, { end: false });
  const weights = join(folder, 'killed/objects/models/tiny/v1/model.safetensors');
  for (const until = Date.now() + 20_000; !existsSync(weights) && Date.now() < until; ) await delay(20);
  child.kill('SIGKILL');
  await closed;
  expect(existsSync(weights)).toBe(true);
  expect(await backup(['create', join(folder, 'half.tar')], home('killed'))).toMatchObject({ code: 4 });

  expect(await backup(['restore', '-'], home('killed'), archive)).toMatchObject({ code: 0 });
  const { model: restored } = await (await serve('killed')).weightLoader.getModel({
    model: { name: 'tiny', version: '' },
  });
  expect(restored?.versions.map(({ ref }) => ref?.version)).toEqual(['v1']);
});

describeWithMinio('from a laptop to a cluster and back', () => {
  let real: RealBackends;
  beforeAll(async () => {
    real = await startRealBackends();
  });
  afterAll(async () => real?.[Symbol.asyncDispose]());

  test('models, aliases and greedy text are the same everywhere', async () => {
    const laptop = await serve('laptop');
    await importModel(laptop, 'tiny', tinyModel('gpt2').files);
    await importModel(laptop, 'tiny', tinyModel('llama').files);
    await laptop.weightLoader.promoteModel({
      model: { name: 'tiny', version: 'v1' },
      alias: 'liked',
      reason: 'a test',
    });
    const before = await story(laptop);
    expect(before.text.length).toBeGreaterThan(10);

    const archive = join(folder, 'laptop.tar');
    expect(await backup(['create', archive], home('laptop'))).toMatchObject({ code: 0 });
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    const cluster = { ...home('client'), ...real.environment };
    expect(await backup(['restore', '-'], cluster, archive)).toMatchObject({ code: 0 });
    expect(await story(await serve('cluster', real.environment))).toEqual(before);

    const again = join(folder, 'cluster.tar');
    expect(await backup(['create', again], cluster)).toMatchObject({ code: 0 });
    expect(await backup(['restore', again], home('other'))).toMatchObject({ code: 0 });
    expect(await story(await serve('other'))).toEqual(before);

    const refused = await backup(['restore', archive], cluster);
    expect([refused.code, refused.said]).toEqual([
      4,
      expect.stringMatching(/not empty: it has the state "models.tiny"/),
    ]);
    expect(await backup(['restore', '-', '--force'], cluster, archive)).toMatchObject({ code: 0 });
  });
});
