import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { describeEventBus } from '../contract/event-bus.ts';
import { useHarness } from '../contract/harness.ts';
import { testEvent } from '../contract/test-event.ts';
import { openDatabase } from './database.ts';
import { createEventBus } from './event-bus.ts';
import { createEventStore } from './event-store.ts';
import { createEmbeddedHarness } from './harness.fixture.ts';

describeEventBus('SQLite', createEmbeddedHarness);

const { open } = useHarness(createEmbeddedHarness);

test('a consumer without work sleeps', async () => {
  const { events, state } = await open();
  let handled = 0;
  for (const durable of ['a', 'b', 'c']) {
    await events.subscribe({ durable, subjects: ['strata.>'], handler: async () => void handled++ });
  }
  await events.publish(testEvent('1'));
  await state.put('k', 1);
  // The process collects its garbage at times; a consumer that looks again and again would keep it busy for ever.
  for (let busyMs = Infinity; busyMs > 150 || handled < 3; ) {
    const before = process.cpuUsage();
    await delay(500);
    const { user, system } = process.cpuUsage(before);
    busyMs = (user + system) / 1000;
  }
  expect(handled).toBe(3);
});

test('a subscription without a durable name is forgotten with its process, and so is what waited for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-event-bus-'));
  const database = openDatabase(join(folder, 'state.db'));
  const store = createEventStore(database);
  store.register('passing_999999999_1_x', ['strata.>'], 'new', Date.now());
  store.publish(testEvent('1'), '{}', Date.now());
  expect(store.nextDue('passing_999999999_1_x')).toBeDefined();
  const alive = createEventBus(database);
  await alive.subscribe({ subjects: ['strata.>'], handler: async () => undefined });
  const another = createEventBus(database);
  const consumers = database.sql.prepare('select durable from consumers').all() as { durable: string }[];
  expect(consumers.map(({ durable }) => durable)).toEqual([expect.stringMatching(`^passing_${process.pid}_`)]);
  expect(store.nextDue('passing_999999999_1_x')).toBeUndefined();
  await Promise.all([alive.close(), another.close()]);
  database.close();
  await rm(folder, { recursive: true });
});
