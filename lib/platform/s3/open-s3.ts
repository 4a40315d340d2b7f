// Opens the S3 store that the settings name.
import type { OpenOptions } from '../broker.ts';
import type { ObjectStore } from '../object-store.ts';
import { connectS3, type S3Config } from './connection.ts';
import { openLocalFiles } from './local-files.ts';
import { createS3ObjectStore } from './object-store.ts';
import { prepareBucket } from './prepare-bucket.ts';

export async function openS3(
  config: S3Config & { uploadsKeepDays: number },
  { log }: OpenOptions = {},
): Promise<ObjectStore> {
  const connection = connectS3(config, log);
  try {
    await prepareBucket(connection, { region: config.s3Region, uploadsKeepDays: config.uploadsKeepDays, log });
    return createS3ObjectStore(connection, await openLocalFiles(connection));
  } catch (error) {
    connection.close();
    throw error;
  }
}
