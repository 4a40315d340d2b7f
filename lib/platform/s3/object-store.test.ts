import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { describeWithMinio } from '../../../tests/support/describe-with-minio.ts';
import { type Minio, startMinio } from '../../../tests/support/minio.ts';
import { readConfig } from '../config.ts';
import type { Harness } from '../contract/harness.ts';
import { describeObjectStore } from '../contract/object-store.ts';
import { openPlatform } from '../platform.ts';
import { platformSettings } from '../settings.ts';

describeWithMinio('over a real MinIO', () => {
  let minio: Minio;
  beforeAll(async () => {
    minio = await startMinio();
  }, 900_000);
  afterAll(() => minio.stop());

  /** A bucket of its own on the one server; the other seams are embedded. */
  async function createHarness(): Promise<Harness> {
    const home = await mkdtemp(join(tmpdir(), 'strata-contract-'));
    const env = { ...minio.settings(`contract-${randomUUID()}`), STRATA_HOME: home };
    return {
      open: () => openPlatform(readConfig(platformSettings, env)),
      config: JSON.stringify(env),
      dispose: () => rm(home, { recursive: true, force: true }),
    };
  }

  describeObjectStore('S3', createHarness);
});
