// Stores of one MinIO for tests, each test in a bucket of its own unless it names one; closed after each test.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type Minio, type MinioOptions, startMinio } from '../../../tests/support/minio.ts';
import { readConfig } from '../config.ts';
import type { ObjectStore } from '../object-store.ts';
import { platformSettings } from '../settings.ts';
import { openS3 } from './open-s3.ts';

export interface OpenStoreOptions {
  bucket?: string;
  /** Settings that differ from the server's. */
  env?: Record<string, string>;
}

export function useMinio(options: () => MinioOptions = () => ({})) {
  let server: Minio | undefined;
  const stores: ObjectStore[] = [];
  beforeAll(async () => {
    server = await startMinio(options());
  }, 900_000);
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  afterAll(() => server?.stop());

  const minio = (): Minio => {
    if (!server) throw new Error('MinIO has not started');
    return server;
  };
  const configOf = ({ bucket = `test-${randomUUID()}`, env = {} }: OpenStoreOptions = {}) =>
    readConfig(platformSettings, { ...minio().settings(bucket), ...env });
  return {
    minio,
    configOf,
    async openStore(which?: OpenStoreOptions): Promise<ObjectStore> {
      const store = await openS3(configOf(which));
      stores.push(store);
      return store;
    },
  };
}

export async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += size) yield bytes.subarray(offset, offset + size);
}
