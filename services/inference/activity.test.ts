import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { keys } from '#lib/contracts/keys.ts';
import { openDatabase } from '#lib/platform/embedded/database.ts';
import { createKeyValue } from '#lib/platform/embedded/key-value.ts';
import { createLogger } from '#lib/platform/log.ts';
import { reportActivity } from './activity.ts';
import type { LoadedModel } from './model.ts';
import { createModelPool } from './model-pool.ts';

test('a lent model is activity, written once and again while it lasts, not after', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-activity-'));
  const database = openDatabase(join(folder, 'state.db'));
  const state = createKeyValue(database);
  const log = createLogger({ service: 'inference', level: 'silent' });
  const ref = { name: 'boats', version: 'v1' };
  const pool = createModelPool({
    log,
    maxLoadedBytes: 1,
    weightLoader: { getModel: async () => ({ version: { ref } }) } as never,
    load: async () =>
      ({
        sizeBytes: 1,
        ended: new Promise(() => undefined),
        close: async () => undefined,
      }) as unknown as LoadedModel,
  });
  const activity = reportActivity({ state, log, everyMs: 30 });
  const revision = async (): Promise<number> => (await state.get(keys.activity('inference')))?.revision ?? 0;
  const changed = async (from: number): Promise<number> => {
    while ((await revision()) === from) await delay(5);
    return revision();
  };
  expect(await revision()).toBe(0);
  const lease = await activity.over(pool).take(ref, new AbortController().signal);
  await changed(await changed(0));
  lease[Symbol.dispose]();
  await delay(40);
  const last = await revision();
  await delay(100);
  expect(await revision()).toBe(last);
  activity.stop();
  await pool.close();
  await state.close();
  database.close();
  await rm(folder, { recursive: true });
});
