// 10,000 events and consumers that kill themselves at random: each handled, none counted twice, on the embedded bus and on NATS. And how long an
// event takes from being published to its handler, one after the other, between two clients of one broker. Last line: JSON.
//
// usage: event-crashes.ts [events=10000] [processes=4]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '#lib/platform/config.ts';
import { countThroughCrashes } from '#lib/platform/contract/crashes.ts';
import { testEvent } from '#lib/platform/contract/test-event.ts';
import { startNatsServer } from '#lib/platform/nats/nats-server.fixture.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { report } from './bench.ts';

const [events = 10_000, processes = 4] = process.argv.slice(2).map(Number);
const dieOneIn = 250;
const timed = 1000;

const open = (env: Record<string, string>): Promise<Platform> => openPlatform(readConfig(platformSettings, env));

/** Milliseconds from publishing to the handler: the event's number is what its handler looks up. */
async function latencies(env: Record<string, string>): Promise<{ p50: number; p99: number }> {
  const [publisher, consumer] = [await open(env), await open(env)];
  const arrived = new Map<string, () => void>();
  await consumer.events.subscribe({
    durable: 'timed',
    subjects: ['strata.timed'],
    handler: async ({ id }) => arrived.get(id)?.(),
  });
  const times: number[] = [];
  for (let i = 0; i < timed + 50; i++) {
    const id = `timed/${i}`;
    const began = performance.now();
    const arrives = new Promise<void>((resolve) => arrived.set(id, resolve));
    await publisher.events.publish(testEvent(id, 'strata.timed'));
    await arrives;
    if (i >= 50) times.push(performance.now() - began);
  }
  await Promise.all([publisher.close(), consumer.close()]);
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.floor(share * times.length)] ?? Number.NaN).toFixed(2));
  return { p50: at(0.5), p99: at(0.99) };
}

async function measure(env: Record<string, string>) {
  const latencyMs = await latencies(env);
  const platform = await open(env);
  const options = { events, processes, dieOneIn, timeoutMs: 10 * 60_000 };
  const crashes = await countThroughCrashes(platform, { config: JSON.stringify(env), ...options });
  const deadLetters = (await platform.events.deadLetters()).length;
  await platform.close();
  return { ...crashes, deadLetters, latencyMs };
}

const home = await mkdtemp(join(tmpdir(), 'strata-event-crashes-'));
const server = await startNatsServer();
const environments = {
  embedded: { STRATA_HOME: join(home, 'embedded') },
  nats: { STRATA_HOME: join(home, 'nats'), STRATA_BROKER: 'nats', STRATA_NATS_URL: server.url },
};
const results: Record<string, Awaited<ReturnType<typeof measure>>> = {};
for (const [name, env] of Object.entries(environments)) {
  const result = await measure(env);
  results[name] = result;
  const { counted, different, crashes, seconds, latencyMs } = result;
  console.log(
    `${name}: ${different} of ${events} events handled, counted ${counted} times, ${crashes} crashes, ${seconds.toFixed(1)} s; ` +
      `published to handled: p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms`,
  );
}
await server.dispose();
await rm(home, { recursive: true });
const once = Object.values(results).every(({ counted, different }) => counted === events && different === events);
report({ bench: 'event-crashes', ratio: once ? 1 : 0, goal: 1, events, processes, ...results });
