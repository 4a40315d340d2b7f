import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until as untilSo } from '../../../tests/support/until.ts';
import type { Broker } from '../broker.ts';
import { readConfig } from '../config.ts';
import { testEvent } from '../contract/test-event.ts';
import { type KeyValue, update } from '../key-value.ts';
import { type NatsServer, startNatsServer } from './nats-server.fixture.ts';
import { openNats } from './open-nats.ts';
import { natsSettings } from './settings.ts';

let server: NatsServer;
const brokers: Broker[] = [];
beforeEach(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  await server.dispose();
});

async function open(patienceMs = 20_000): Promise<Broker> {
  const env = { STRATA_NATS_URL: server.url, STRATA_NATS_PATIENCE_MS: String(patienceMs) };
  const broker = await openNats(readConfig(natsSettings, env));
  brokers.push(broker);
  return broker;
}

async function restart(awayMs = 200): Promise<void> {
  await server.kill();
  await delay(awayMs);
  await server.start();
}

const until = (isSo: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(isSo, { timeoutMs: 15_000, everyMs: 10 });

test('publishers wait for a server that restarts: what they were told is stored is stored, and comes', async () => {
  const { events } = await open();
  const ids: string[] = [];
  // What was on its way when the connection broke comes again after the time to acknowledge, and so does what was acknowledged just before:
  // a server that is killed has not written that down yet.
  await events.subscribe({
    durable: 'd',
    subjects: ['strata.>'],
    ackWaitMs: 1000,
    handler: async ({ id }) => void ids.push(id),
  });
  const restarting = (async () => {
    for (let i = 0; i < 3; i++) {
      await delay(150);
      await restart(100);
    }
  })();
  let published = 0;
  let isOver = false;
  void restarting.then(() => {
    isOver = true;
  });
  while (!isOver) await events.publish(testEvent(String(++published)));
  await until(() => new Set(ids).size === published);
  expect([...new Set(ids)].map(Number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: published }, (_, i) => i + 1),
  );
});

// A server that is killed may have forgotten that it handed the event out, and hands it out again: see the test above.
test('a handler that runs while the server is stopped and started settles its event afterwards', async () => {
  const { events } = await open();
  const attempts: number[] = [];
  await events.subscribe({
    durable: 'd',
    subjects: ['strata.>'],
    handler: async (_, { attempt }) => {
      attempts.push(attempt);
      await server.stop();
      await server.start();
    },
  });
  await events.publish(testEvent('1'));
  await until(() => attempts.length > 0);
  await until(async () => (await events.waiting('d')) === 0);
  expect(attempts).toEqual([1]);
});

test('a subscription without a durable name goes on after a restart, and misses nothing', async () => {
  const [{ events }, other] = [await open(), await open()];
  const ids: string[] = [];
  await events.subscribe({ subjects: ['strata.>'], ackWaitMs: 1000, handler: async ({ id }) => void ids.push(id) });
  for (let i = 1; i <= 3; i++) {
    await other.events.publish(testEvent(`${i}`));
    await restart(50);
  }
  await other.events.publish(testEvent('4'));
  await until(() => ids.includes('4'));
  expect([...new Set(ids)]).toEqual(['1', '2', '3', '4']);
});

test('a watch goes on after a restart: the last value arrives, and so does a deletion', async () => {
  const [{ state }, other] = [await open(), (await open()).state];
  await other.put('runs.a', 0);
  const seen: unknown[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    for await (const change of state.watch('runs', { signal: abort.signal })) {
      seen.push(change.kind === 'put' ? change.value : 'deleted');
    }
  })();
  await until(() => seen.length === 1);
  await server.kill();
  const write = other.put('runs.a', 1);
  await server.start();
  await write;
  await until(() => seen.includes(1));
  await restart();
  await other.delete('runs.a');
  await until(() => seen.at(-1) === 'deleted');
  abort.abort();
  await watching;
});

test('a watch outlives the loss of its consumer on the server', async () => {
  const { state } = await open();
  const other = (await open()).state;
  const seen: unknown[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    for await (const change of state.watch('k', { signal: abort.signal }))
      if (change.kind === 'put') seen.push(change.value);
  })();
  await other.put('k', 1);
  await until(() => seen.length === 1);
  // The consumer lives in the server's memory, and dies with it.
  await restart(0);
  await other.put('k', 2);
  await until(() => seen.length === 2);
  abort.abort();
  await watching;
  expect(seen).toEqual([1, 2]);
});

test('compare-and-set counts right while the server is killed again and again', async () => {
  const [one, other] = [(await open()).state, (await open()).state];
  let isOver = false;
  const restarting = (async () => {
    for (let i = 0; i < 4; i++) {
      await delay(120);
      await restart(30);
    }
    isOver = true;
  })();
  let added = 0;
  const add = async (store: KeyValue): Promise<void> => {
    while (!isOver) {
      await update<number>(store, 'n', (value = 0) => value + 1);
      added++;
    }
  };
  await Promise.all([add(one), add(other), restarting]);
  expect((await one.get('n'))?.value).toBe(added);
});

test('a server that stays away is UNAVAILABLE after the patience, and used again when it is back', async () => {
  const { events, state } = await open(500);
  await state.put('k', 1);
  await server.kill();
  for (const call of [
    events.publish(testEvent('1')),
    state.get('k'),
    state.put('k', 2),
    state.list('k'),
    events.deadLetters(),
  ]) {
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining(server.address) });
  }
  await server.start();
  for (let value: unknown; value !== 1; await delay(50)) value = (await state.get('k').catch(() => undefined))?.value;
}, 15_000);

test('a subscription that stops does not wait for a server that is away, and its event comes again', async () => {
  const { events } = await open(90_000);
  const held = Promise.withResolvers<void>();
  const subscription = await events.subscribe({
    durable: 'd',
    subjects: ['strata.>'],
    ackWaitMs: 1000,
    handler: async (_, { signal }) => {
      held.resolve();
      await delay(60_000, undefined, { signal });
    },
  });
  const passing = await events.subscribe({ subjects: ['strata.>'], handler: async () => undefined });
  await events.publish(testEvent('1'));
  await held.promise;
  await server.kill();
  await Promise.all([subscription.stop(), passing.stop()]);
  await server.start();
  const ids: string[] = [];
  const other = await open();
  await other.events.subscribe({
    durable: 'd',
    subjects: ['strata.>'],
    ackWaitMs: 1000,
    handler: async ({ id }) => void ids.push(id),
  });
  await until(() => ids.length > 0);
  expect(ids).toEqual(['1']);
});
