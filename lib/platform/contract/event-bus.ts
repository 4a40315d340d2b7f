// What every EventBus keeps to: here within one process, in event-bus-processes.ts across several.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { AppError, invalidArgument } from '../errors.ts';
import type { StrataEvent } from '../event-bus.ts';
import { collect, numbered } from './collect.ts';
import { testAcrossProcesses } from './event-bus-processes.ts';
import { type CreateHarness, useHarness } from './harness.ts';
import { testEvent } from './test-event.ts';

export function describeEventBus(name: string, create: CreateHarness): void {
  describe(`event bus: ${name}`, () => {
    const harness = useHarness(create);
    const { open } = harness;

    test('delivers what was published before and after subscribing, in order, whole', async () => {
      const { events } = await open();
      const seen: StrataEvent[] = [];
      await events.publish(testEvent('1'));
      const { until } = await collect(events, { handler: async (event) => void seen.push(event) });
      for (const id of ['2', '3']) await events.publish(testEvent(id, 'strata.test.happened', { text: 'é\u0000"' }));
      expect(await until(3)).toEqual(['1', '2', '3']);
      expect(seen[2]).toEqual(testEvent('3', 'strata.test.happened', { text: 'é\u0000"' }));
    });

    test('`from: new` begins with the next event', async () => {
      const { events } = await open();
      await events.publish(testEvent('1'));
      const { until, ids } = await collect(events, { from: 'new' });
      await events.publish(testEvent('2'));
      await until(1);
      expect(ids).toEqual(['2']);
    });

    test('without a durable name: every consumer gets every event from now on, and is forgotten when it stops', async () => {
      const { events } = await open();
      const { until, stop } = await collect(events, { durable: 'lasting' });
      await events.publish(testEvent('1'));
      const passing = [await collect(events, { durable: undefined }), await collect(events, { durable: undefined })];
      await events.publish(testEvent('2'));
      for (const consumer of passing) expect(await consumer.until(1)).toEqual(['2']);
      await until(2);
      await Promise.all([stop(), ...passing.map((consumer) => consumer.stop())]);
      await events.publish(testEvent('3'));
      const again = await collect(events, { durable: undefined });
      await events.publish(testEvent('4'));
      expect(await again.until(1)).toEqual(['4']);
      const lasting = await collect(events, { durable: 'lasting' });
      expect(await lasting.until(2)).toEqual(['3', '4']);
    });

    test('an event that is published twice is delivered once', async () => {
      const { events } = await open();
      const { until, ids } = await collect(events);
      for (const id of ['a', 'a', 'b', 'a']) await events.publish(testEvent(id));
      await until(2);
      await delay(50);
      expect(ids).toEqual(['a', 'b']);
    });

    test('after a clear nothing waits, and an event of the past is new again', async () => {
      const { events } = await open();
      const first = await collect(events);
      await events.publish(testEvent('handled'));
      await first.until(1);
      await first.stop();
      await events.publish(testEvent('waiting'));
      await events.clear();
      const { until, ids } = await collect(events);
      await events.publish(testEvent('handled'));
      await until(1);
      await delay(50);
      expect(ids).toEqual(['handled']);
    });

    test('subjects choose: exact, * for one token, > for the rest', async () => {
      const { events } = await open();
      const all = await collect(events, { durable: 'all', subjects: ['strata.>'] });
      const exact = await collect(events, { durable: 'exact', subjects: ['strata.run.finished'] });
      const star = await collect(events, { durable: 'star', subjects: ['strata.*.finished', 'strata.model.promoted'] });
      const types = [
        'strata.run.finished',
        'strata.run.started',
        'strata.evaluation.finished',
        'strata.model.promoted',
      ];
      for (const [index, type] of types.entries()) await events.publish(testEvent(String(index), type));
      expect(await all.until(4)).toEqual(['0', '1', '2', '3']);
      expect(await star.until(3)).toEqual(['0', '2', '3']);
      expect(await exact.until(1)).toEqual(['0']);
    });

    test('subjects may overlap: an event still comes once', async () => {
      const { events } = await open();
      const { until, ids } = await collect(events, { subjects: ['strata.test.>', 'strata.*.happened', 'strata.a.b'] });
      await events.publish(testEvent('1'));
      await events.publish(testEvent('2', 'strata.test.other'));
      await events.publish(testEvent('3', 'strata.nobody.wants'));
      await events.publish(testEvent('4', 'strata.a.b'));
      await until(3);
      await delay(50);
      expect(ids).toEqual(['1', '2', '4']);
    });

    test('a known durable name takes a change of its subjects from then on', async () => {
      const { events } = await open();
      const first = await collect(events, { subjects: ['strata.test.a', 'strata.test.b'] });
      await events.publish(testEvent('a1', 'strata.test.a'));
      await first.until(1);
      await first.stop();
      await events.publish(testEvent('c1', 'strata.test.c'));
      const second = await collect(events, { subjects: ['strata.test.b', 'strata.test.c'] });
      for (const type of ['a', 'b', 'c']) await events.publish(testEvent(`${type}2`, `strata.test.${type}`));
      await second.until(2);
      await delay(50);
      expect(second.ids).toEqual(['b2', 'c2']);
    });

    test('every durable name gets every event; consumers of one name share them', async () => {
      const { events } = await open();
      const other = (await open()).events;
      const a = await collect(events, { durable: 'shared' });
      const b = await collect(other, { durable: 'shared' });
      const c = await collect(other, { durable: 'alone' });
      for (const id of numbered(1, 40)) await events.publish(testEvent(id));
      await c.until(40);
      for (const end = Date.now() + 5000; a.ids.length + b.ids.length < 40 && Date.now() < end; ) await delay(5);
      expect([...a.ids, ...b.ids].map(Number).sort((x, y) => x - y)).toEqual(numbered(1, 40).map(Number));
    });

    test('a durable name continues where it stopped', async () => {
      const { events } = await open();
      const first = await collect(events);
      await events.publish(testEvent('1'));
      await first.until(1);
      await first.stop();
      await events.publish(testEvent('2'));
      const second = await collect((await open()).events);
      expect(await second.until(1)).toEqual(['2']);
    });

    test('UNAVAILABLE, ABORTED and unknown errors are retried with the attempt counted', async () => {
      const { events } = await open();
      const failures = [new AppError('UNAVAILABLE', 'down'), new AppError('ABORTED', 'raced'), new TypeError('bug')];
      const { until, attempts } = await collect(events, {
        handler: async () => {
          const failure = failures.shift();
          if (failure) throw failure;
        },
      });
      await events.publish(testEvent('1'));
      await until(4);
      await delay(50);
      expect(attempts).toEqual([1, 2, 3, 4]);
      expect(await events.deadLetters()).toEqual([]);
    });

    test('an event that waits for its next attempt does not hold up the others', async () => {
      const { events } = await open();
      const { until } = await collect(events, {
        backoffMs: [1000],
        handler: async ({ id }, { attempt }) => {
          if (id === 'slow' && attempt === 1) throw new AppError('UNAVAILABLE', 'later');
        },
      });
      await events.publish(testEvent('slow'));
      await events.publish(testEvent('fast'));
      expect(await until(3)).toEqual(['slow', 'fast', 'slow']);
    });

    test('what cannot be handled becomes a dead letter with its reason, at once; the next event goes on', async () => {
      const { events } = await open();
      const { until, ids } = await collect(events, {
        handler: async ({ id }) => {
          if (id === 'bad') throw invalidArgument('data', 'is wrong');
        },
      });
      await events.publish(testEvent('bad'));
      await events.publish(testEvent('good'));
      await until(2);
      await delay(50);
      expect(ids).toEqual(['bad', 'good']);
      expect(await events.deadLetters()).toMatchObject([
        { durable: 'collector', event: { id: 'bad' }, reason: 'INVALID_ARGUMENT: data: is wrong', attempts: 1 },
      ]);
    });

    test('an event that fails every time becomes a dead letter after maxDeliver deliveries, and can be replayed', async () => {
      const { events } = await open();
      let broken = true;
      const { until, ids, attempts } = await collect(events, {
        maxDeliver: 3,
        handler: async () => {
          if (broken) throw new Error('still broken');
        },
      });
      await events.publish(testEvent('1'));
      await until(3);
      await delay(50);
      const [letter] = await events.deadLetters({ durable: 'collector' });
      expect(await Promise.all(['collector', 'another'].map(events.buried))).toEqual([1, 0]);
      expect(letter).toMatchObject({ reason: expect.stringContaining('still broken'), attempts: 3 });
      broken = false;
      await events.replay(letter?.id ?? '');
      await until(4);
      await delay(20);
      expect([ids.length, attempts.at(-1)]).toEqual([4, 1]);
      expect(await events.deadLetters()).toEqual([]);
      await expect(events.replay(letter?.id ?? '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('what a durable name has still to handle can be counted', async () => {
      const { events } = await open();
      expect(await events.waiting('collector')).toBe(0);
      const { until, stop } = await collect(events, {
        handler: async ({ id }, { signal }) => (id === '1' ? undefined : delay(60_000, undefined, { signal })),
      });
      for (const id of ['1', '2', '3']) await events.publish(testEvent(id));
      await until(2);
      expect(await events.waiting('collector')).toBe(2);
      await stop();
      expect(await events.waiting('collector')).toBe(2);
    });

    test('a handler that runs longer than ackWait keeps its event', async () => {
      const { events } = await open();
      const other = (await open()).events;
      const handler = () => delay(2500);
      const a = await collect(events, { ackWaitMs: 1000, handler });
      const b = await collect(other, { ackWaitMs: 1000, handler });
      await events.publish(testEvent('1'));
      await delay(3000);
      expect([...a.ids, ...b.ids]).toEqual(['1']);
    });

    test('stopping aborts the handler and gives its event back at once', async () => {
      const { events } = await open();
      const first = await collect(events, { handler: (_, { signal }) => delay(60_000, undefined, { signal }) });
      await events.publish(testEvent('1'));
      await first.until(1);
      await first.stop();
      const second = await collect(events);
      expect(await second.until(1, 2000)).toEqual(['1']);
    });

    test('an event of a megabyte is delivered; one that is larger is refused', async () => {
      const { events } = await open();
      const { until } = await collect(events, { handler: async ({ data }) => expect(data).toHaveLength(999_000) });
      await events.publish(testEvent('large', 'strata.test.happened', 'x'.repeat(999_000)));
      expect(await until(1)).toEqual(['large']);
      const event = testEvent('1', 'strata.test.happened', 'x'.repeat(1_000_000));
      await expect(events.publish(event)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    test('a name or subject outside the rules is refused', async () => {
      const { events } = await open();
      await expect(events.publish(testEvent('1', 'no spaces.please'))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
      await expect(collect(events, { durable: 'a.b' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      for (const subjects of [[], ['strata.>.x'], ['strata. x'], ['strata..x']]) {
        await expect(collect(events, { subjects })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    });

    testAcrossProcesses(harness);
  });
}
