import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { describeEventBus } from '../contract/event-bus.ts';
import { useHarness } from '../contract/harness.ts';
import { testEvent } from '../contract/test-event.ts';
import type { EventBus } from '../event-bus.ts';
import { openBesides, useNats } from './harness.fixture.ts';

const { createHarness } = useNats();

describeEventBus('NATS', createHarness);

const { open, config } = useHarness(createHarness);

const besides = async () => openBesides(await config());

async function lettersUntil(events: EventBus, count: number) {
  for (const end = Date.now() + 5000; ; await delay(10)) {
    const letters = await events.deadLetters();
    if (letters.length === count || Date.now() > end) return letters;
  }
}

test('a message that is no event is a dead letter at once, with its text; the next one goes on', async () => {
  const { events } = await open();
  await using other = await besides();
  const ids: string[] = [];
  await events.subscribe({ durable: 'd', subjects: ['strata.>'], handler: async ({ id }) => void ids.push(id) });
  for (const text of ['{ half', '[]', '{"id":"x","type":"strata.another.type"}']) {
    other.nc.publish(`${other.prefix}.event.strata.test.happened.${ids.length}`, text);
  }
  await events.publish(testEvent('good'));
  const letters = await lettersUntil(events, 3);
  expect(letters.at(-1)).toMatchObject({
    durable: 'd',
    attempts: 1,
    reason: expect.stringMatching(/^INVALID_ARGUMENT/),
    event: { type: 'strata.test.happened', data: { text: '{ half' } },
  });
  expect(letters).toHaveLength(3);
  expect(ids).toEqual(['good']);
});

test('a consumer whose subjects a newer one has changed leaves the new events to it', async () => {
  const { events } = await open();
  const seen: string[] = [];
  const subscribe = (who: string, bus: EventBus, subjects: string[]) =>
    bus.subscribe({ durable: 'd', subjects, handler: async ({ id }) => void seen.push(`${who} ${id}`) });
  const old = await subscribe('old', events, ['strata.test.a']);
  const newer = await subscribe('new', (await open()).events, ['strata.test.a', 'strata.test.b']);
  for (let i = 1; i <= 6; i++) await events.publish(testEvent(`b${i}`, 'strata.test.b'));
  await delay(300);
  await old.stop();
  for (const end = Date.now() + 20_000; seen.length < 6 && Date.now() < end; ) await delay(20);
  expect(seen.sort()).toEqual([1, 2, 3, 4, 5, 6].map((i) => `new b${i}`));
  await newer.stop();
});

test('a subscription without a durable name leaves nothing on the server', async () => {
  const { events } = await open();
  await using other = await besides();
  const subscription = await events.subscribe({ subjects: ['strata.>'], handler: async () => undefined });
  const names = async () => (await other.jsm.consumers.list(`${other.prefix}-events`).next()).map(({ name }) => name);
  expect(await names()).toEqual([expect.stringMatching(/^passing-/)]);
  await subscription.stop();
  expect(await names()).toEqual([]);
});

test('a durable name that somebody deleted on the server is made again, and its events come', async () => {
  const { events } = await open();
  await using other = await besides();
  const ids: string[] = [];
  await events.subscribe({ durable: 'd', subjects: ['strata.>'], handler: async ({ id }) => void ids.push(id) });
  await other.jsm.consumers.delete(`${other.prefix}-events`, 'd');
  await events.publish(testEvent('1'));
  for (const end = Date.now() + 10_000; ids.length < 1 && Date.now() < end; ) await delay(20);
  expect(ids).toEqual(['1']);
});

test('opening again changes nothing on the server', async () => {
  await open();
  await using other = await besides();
  const asked: string[] = [];
  other.nc.subscribe('$JS.API.STREAM.>', { callback: (_, message) => void asked.push(message.subject) });
  await other.nc.flush();
  await open();
  await other.nc.flush();
  expect(asked.filter((subject) => subject.includes(`${other.prefix}-events`))).toEqual([
    `$JS.API.STREAM.INFO.${other.prefix}-events`,
  ]);
  expect(asked.filter((subject) => /CREATE|UPDATE/.test(subject))).toEqual([]);
});

test('a subscription goes on when the stream is emptied under it: what comes afterwards arrives', async () => {
  const { events } = await open();
  const ids: string[] = [];
  await events.subscribe({ subjects: ['strata.>'], handler: async ({ id }) => void ids.push(id) });
  for (const id of ['1', '2', '3']) await events.publish(testEvent(id));
  for (const end = Date.now() + 5000; ids.length < 3 && Date.now() < end; ) await delay(10);
  await events.clear();
  await events.publish(testEvent('4'));
  for (const end = Date.now() + 20_000; ids.length < 4 && Date.now() < end; ) await delay(20);
  expect(ids).toEqual(['1', '2', '3', '4']);
});
