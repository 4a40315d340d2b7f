// ObjectStore over S3: MinIO or any other. An object's key is its key in the bucket.
import { checkObjectKey, checkPrefix, type ObjectStore } from '../object-store.ts';
import type { Connection } from './connection.ts';
import { deleteBelow, deleteObject, listObjects } from './list-objects.ts';
import { downloadObject, type LocalFiles } from './local-files.ts';
import { headObject, readBytes, readObject } from './read-object.ts';
import { writeObject } from './write-object.ts';

export function createS3ObjectStore(connection: Connection, localFiles: LocalFiles): ObjectStore {
  return {
    put: async (key, body, options = {}) => writeObject(connection, checkObjectKey(key), body, options),
    get: async (key, options = {}) => readBytes(connection, checkObjectKey(key), options),
    async *getStream(key, options = {}) {
      yield* (await readObject(connection, checkObjectKey(key), options)).chunks;
    },
    head: async (key) => {
      const head = await headObject(connection, checkObjectKey(key));
      return head && { key, sizeBytes: head.sizeBytes, etag: head.etag, modifiedAt: head.modifiedAt };
    },
    list: (prefix) => listObjects(connection, checkPrefix(prefix)),
    delete: async (key) => deleteObject(connection, checkObjectKey(key)),
    deletePrefix: async (prefix) => deleteBelow(connection, checkPrefix(prefix)),
    withLocalFile: async (key, use) => localFiles.with(checkObjectKey(key), use),
    download: async (key, path, options) => downloadObject(connection, checkObjectKey(key), path, options),
    presign: async ({ key, method, expiresSeconds }) =>
      connection.publicClient.presignedUrl(method, connection.place.bucket, checkObjectKey(key), expiresSeconds),
    close: async () => {
      await localFiles.close();
      connection.close();
    },
  };
}
