// The other process in the contract suites: `node child-process.ts <environment as JSON> <action> <argument>…`.
import { setTimeout as delay } from 'node:timers/promises';
import { readConfig } from '../config.ts';
import { update } from '../key-value.ts';
import { openPlatform, type Platform } from '../platform.ts';
import { platformSettings } from '../settings.ts';
import { enter } from './crashes.ts';
import { testEvent } from './test-event.ts';

const actions: Record<string, (platform: Platform, ...args: string[]) => Promise<void>> = {
  /** Adds one to a key, so many times. */
  async increment({ state }, key = '', times = '') {
    for (let i = 0; i < Number(times); i++) await update<number>(state, key, (value = 0) => value + 1);
  },

  /** Publishes events 1, 2, … and says each number once it is stored, until it is killed. */
  async publish({ events }, prefix = '') {
    for (let i = 1; ; i++) {
      await events.publish(testEvent(`${prefix}${i}`));
      console.log(i);
    }
  },

  /** Takes events, says their ids, and never finishes with any. */
  async hang({ events }, durable = '', ackWaitMs = '') {
    await events.subscribe({
      durable,
      subjects: ['strata.test.>'],
      ackWaitMs: Number(ackWaitMs),
      handler: async (event) => {
        console.log(event.id);
        await delay(60_000);
      },
    });
    await delay(60_000);
  },

  /** Handles events as they come: says their ids. */
  async consume({ events }, durable = '') {
    await events.subscribe({ durable, subjects: ['strata.test.>'], handler: async (event) => console.log(event.id) });
    console.log('ready');
    await delay(60_000);
  },

  /** Enters events into the ledger of crashes.ts, and dies at about every so manieth. */
  async tally({ events, state }, durable = '', dieOneIn = '') {
    const maybeDie = (): void => {
      if (Math.random() < 1 / (3 * Number(dieOneIn))) process.kill(process.pid, 'SIGKILL');
    };
    await events.subscribe({
      durable,
      subjects: ['strata.test.>'],
      ackWaitMs: 1000,
      maxDeliver: 100,
      concurrency: 4,
      handler: async ({ id }) => {
        maybeDie();
        await enter(state, id);
        maybeDie();
        setTimeout(maybeDie, 1);
      },
    });
    await new Promise(() => setInterval(() => undefined, 60_000));
  },

  /** Writes one object after the other, of so many bytes, until it is killed; says each key once it is stored. */
  async write({ objects }, prefix = '', sizeBytes = '') {
    for (let i = 1; ; i++) {
      await objects.put(`${prefix}/${i}`, new Uint8Array(Number(sizeBytes)).fill(i));
      console.log(`${prefix}/${i}`);
    }
  },

  /** Starts a job and says its name, then waits to be killed. */
  async start({ jobs }, name = '', entry = '', ...args) {
    await jobs.start({ name, entry, args });
    console.log(name);
    await delay(60_000);
  },
};

const [environment = '{}', action = '', ...args] = process.argv.slice(2);
const platform = await openPlatform(readConfig(platformSettings, JSON.parse(environment)));
const run = actions[action];
if (!run) throw new Error(`no action ${action}`);
await run(platform, ...args);
await platform.close();
