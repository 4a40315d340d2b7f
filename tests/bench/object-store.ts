// `make bench NAME=object-store`: how fast 256 MiB go into MinIO and come back through our store, beside plain HTTP requests to the same server
// (presigned URLs and Node's fetch: no hashes, no parts, no second try) and beside the folder store. Goal: 0.8 of plain HTTP. Last line: JSON.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '#lib/platform/config.ts';
import { openObjectStore } from '#lib/platform/embedded/object-store.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { openS3 } from '#lib/platform/s3/open-s3.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { startMinio } from '../support/minio.ts';
import { median, report } from './bench.ts';

const rounds = 5;
const smallRounds = 200;
const large = randomBytes(256 << 20);
const small = randomBytes(2000);

const home = mkdtempSync(join(tmpdir(), 'strata-bench-'));
const minio = await startMinio();
const s3 = await openS3(readConfig(platformSettings, minio.settings('bench')));
const folder = await openObjectStore(home);

const signed = async (method: 'GET' | 'PUT'): Promise<string> =>
  (await s3.presign?.({ key: 'plain', method, expiresSeconds: 3600 })) ?? '';
const [getUrl, putUrl] = [await signed('GET'), await signed('PUT')];
const plain = {
  put: async () => void (await (await fetch(putUrl, { method: 'PUT', body: large })).text()),
  get: async () => void (await (await fetch(getUrl)).arrayBuffer()),
};
const contestOf = (store: ObjectStore) => ({
  put: async () => void (await store.put('large', large)),
  get: async () => void (await store.get('large')),
});

async function seconds(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const contestants = { s3: contestOf(s3), plain, folder: contestOf(folder) };
const times = new Map<string, number[]>();
for (let round = 0; round <= rounds; round++) {
  for (const [name, contest] of Object.entries(contestants)) {
    for (const [what, work] of Object.entries(contest)) {
      const taken = await seconds(work);
      // The first round warms up.
      if (round > 0) times.set(`${name}_${what}`, [...(times.get(`${name}_${what}`) ?? []), taken]);
    }
  }
}
const megabytesPerSecond = Object.fromEntries(
  [...times].map(([name, taken]) => [`${name}_mb_s`, Math.round(large.byteLength / 1e6 / median(taken))]),
);

async function smallMs(store: ObjectStore): Promise<number[]> {
  const puts: number[] = [];
  const gets: number[] = [];
  for (let i = 0; i < smallRounds; i++) {
    puts.push(await seconds(async () => void (await store.put(`small/${i}`, small))));
    gets.push(await seconds(async () => void (await store.get(`small/${i}`))));
  }
  return [puts, gets].map((taken) => Number((1000 * median(taken)).toFixed(2)));
}
const smallObjects = { s3_put_get_ms: await smallMs(s3), folder_put_get_ms: await smallMs(folder) };

await s3.close();
await minio.stop();
rmSync(home, { recursive: true });

const ratioOf = (what: string): number =>
  median(times.get(`plain_${what}`) ?? []) / median(times.get(`s3_${what}`) ?? []);
const ratios = { put_ratio: ratioOf('put'), get_ratio: ratioOf('get') };
const ratio = Math.min(...Object.values(ratios));
report({ bench: 'object-store', ratio, goal: 0.8, ...ratios, ...megabytesPerSecond, small_2_kb: smallObjects });
