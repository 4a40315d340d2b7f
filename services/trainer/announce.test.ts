// Events of runs on the real embedded bus.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { StrataEvent } from '#lib/contracts/events.ts';
import { readConfig } from '#lib/platform/config.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { createAnnouncer } from './announce.ts';
import { runIn } from './run.fixture.ts';
import { moveRun, resumeRun } from './run.ts';
import { createRunStore } from './run-store.ts';

let home: string;
let platform: Platform;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-announce-'));
  platform = await openPlatform(readConfig(platformSettings, { STRATA_HOME: home }));
});
afterAll(async () => {
  await platform.close();
  await rm(home, { recursive: true });
});

test('every end of a run is told once, also the second end of a run that was resumed', async () => {
  const heard: StrataEvent[] = [];
  const handler = async (event: StrataEvent) => void heard.push(event);
  await platform.events.subscribe({ durable: 'test', subjects: ['strata.run.>'], handler });
  const runs = createRunStore(platform.state);
  const announcer = createAnnouncer(platform.events, runs);
  await runs.create(runIn({ phase: 'pending' }, { labels: { pipeline: 'p1' } }));
  const announceTwice = async () => {
    await announcer.announce(await runs.get('r1'));
    await announcer.announce({ ...(await runs.get('r1')), announced: '' });
    expect(announcer.isAnnounced(await runs.get('r1'))).toBe(true);
  };

  await announceTwice();
  await runs.update('r1', (run) => moveRun(run, { phase: 'cancelled' }, new Date(1000)));
  await announceTwice();
  await runs.update('r1', (run) => resumeRun(run, new Date(2000)));
  await runs.update('r1', (run) => moveRun(run, { phase: 'failed', error: 'loss is NaN' }, new Date(3000)));
  await announceTwice();

  while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const labels = { pipeline: 'p1' };
  expect(heard.map(({ type, data }) => [type, data])).toEqual([
    ['strata.run.failed', { runId: 'r1', error: 'cancelled', cancelled: true, labels }],
    ['strata.run.failed', { runId: 'r1', error: 'loss is NaN', cancelled: false, labels }],
  ]);
});
