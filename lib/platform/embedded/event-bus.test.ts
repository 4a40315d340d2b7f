import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { describeEventBus } from '../contract/event-bus.ts';
import { useHarness } from '../contract/harness.ts';
import { testEvent } from '../contract/test-event.ts';
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
  await delay(200);
  const before = process.cpuUsage();
  await delay(500);
  const { user, system } = process.cpuUsage(before);
  expect(handled).toBe(3);
  expect((user + system) / 1000).toBeLessThan(150);
});
