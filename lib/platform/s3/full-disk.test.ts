import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from '@jest/globals';
import { describeWithMinio } from '../../../tests/support/describe-with-minio.ts';
import { mountSmallDisk, testOnSmallDisk, unmountSmallDisks } from '../../../tests/support/small-disk.ts';
import { useMinio } from './store.fixture.ts';

describeWithMinio('S3: a full disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-small-'));
  const { openStore } = useMinio(() => {
    mountSmallDisk(folder);
    return { folder };
  });
  afterAll(unmountSmallDisks);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  testOnSmallDisk('is RESOURCE_EXHAUSTED at once, names the object, and leaves what was there', async () => {
    const store = await openStore();
    await store.put('kept', new Uint8Array(300_000));
    for (const size of [20_000_000, 15_000_000]) {
      await expect(store.put('large', new Uint8Array(size))).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringMatching(/^no space left in the object store at http:.* for object "large"/),
      });
    }
    expect(await store.head('large')).toBeUndefined();
    await store.put('fits', new Uint8Array(100_000));
    expect((await store.get('kept')).byteLength).toBe(300_000);
  });
});
