// What every EventBus keeps to where several processes share it, and some of them are killed.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { collect, numbered } from './collect.ts';
import { countThroughCrashes } from './crashes.ts';
import type { useHarness } from './harness.ts';
import { testEvent } from './test-event.ts';

export function testAcrossProcesses({ open, spawn, config }: ReturnType<typeof useHarness>): void {
  test('an event of another process wakes a consumer, long before its own next look in 30 seconds', async () => {
    const { events } = await open();
    const { until } = await collect(events);
    const publisher = await spawn('publish', 'x');
    await publisher.lines.next();
    expect((await until(1, 20_000))[0]).toBe('x1');
  });

  test('two processes share a durable name: every event is handled once', async () => {
    const { events } = await open();
    const child = await spawn('consume', 'collector');
    await child.lines.next();
    const mine = await collect(events, { handler: () => delay(1) });
    for (const id of numbered(1, 100)) await events.publish(testEvent(id));
    const theirs: string[] = [];
    void (async () => {
      for await (const line of child.lines) theirs.push(line);
    })();
    const count = () => theirs.length + mine.ids.length;
    for (const end = Date.now() + 20_000; count() < 100 && Date.now() < end; ) await delay(5);
    expect([...theirs, ...mine.ids].map(Number).sort((a, b) => a - b)).toEqual(numbered(1, 100).map(Number));
  });

  test('a consumer that is killed in the middle loses nothing: its event comes again, counted', async () => {
    const { events } = await open();
    await events.publish(testEvent('1'));
    const child = await spawn('hang', 'collector', 300);
    await child.lines.next();
    await child.kill();
    const { until, attempts } = await collect(events, { ackWaitMs: 300 });
    await until(1);
    expect(attempts).toEqual([2]);
  });

  test('an event that kills every consumer ends as a dead letter', async () => {
    const { events } = await open();
    await events.publish(testEvent('poison'));
    for (let i = 0; i < 2; i++) {
      const child = await spawn('hang', 'collector', 100);
      await child.lines.next();
      await child.kill();
    }
    const { ids } = await collect(events, { maxDeliver: 2, ackWaitMs: 100 });
    for (const end = Date.now() + 5000; (await events.deadLetters()).length === 0 && Date.now() < end; )
      await delay(20);
    expect(await events.deadLetters()).toMatchObject([
      { event: { id: 'poison' }, reason: expect.stringMatching(/^ABORTED/) },
    ]);
    expect(ids).toEqual([]);
  });

  test('consumers crash at random: each event is handled, none counts twice in the end', async () => {
    const platform = await open();
    const options = { events: 400, processes: 2, dieOneIn: 80, timeoutMs: 45_000 };
    const result = await countThroughCrashes(platform, { config: await config(), ...options });
    expect(result).toMatchObject({ counted: 400, different: 400 });
    expect(await platform.events.deadLetters()).toEqual([]);
  });

  test('what a publisher had confirmed when it was killed is there, whole and in order', async () => {
    const publisher = await spawn('publish', '');
    let confirmed = 0;
    for (let i = 0; i < 100; i++) confirmed = Number((await publisher.lines.next()).value);
    await publisher.kill();
    const { events } = await open();
    const { until, ids } = await collect(events);
    await until(confirmed);
    expect(ids.slice(0, confirmed)).toEqual(numbered(1, confirmed));
  });
}
