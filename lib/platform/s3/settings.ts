// Where the S3 store is and who we are to it.
import { z } from 'zod';
import { secretSetting, setting, values } from '../config.ts';

const url = z.string().regex(/^(https?:\/\/[^\s/?#]+\/?)?$/, 'must be http(s)://host:port');

const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be 3 to 63 lower-case letters, digits, dots and dashes');

export const s3Settings = {
  s3Endpoint: setting('STRATA_S3_ENDPOINT', url, 'http://127.0.0.1:9000'),
  /** What presigned URLs begin with, where clients reach the store by another name; empty: the endpoint. */
  s3PublicEndpoint: setting('STRATA_S3_PUBLIC_ENDPOINT', url, ''),
  s3Region: setting('STRATA_S3_REGION', values.text, 'us-east-1'),
  s3Bucket: setting('STRATA_S3_BUCKET', bucketName, 'strata'),
  /** `http://host/bucket/key` (MinIO and most others) instead of `http://bucket.host/key` (AWS). */
  s3PathStyle: setting('STRATA_S3_PATH_STYLE', values.flag, 'true'),
  s3AccessKey: secretSetting('STRATA_S3_ACCESS_KEY', z.string(), ''),
  s3SecretKey: secretSetting('STRATA_S3_SECRET_KEY', z.string(), ''),
  /** PEM of the authority that signed the store's certificate, where the system does not know it. */
  s3CaFile: setting('STRATA_S3_CA_FILE', values.text, ''),
  /** How long a request is tried again while the store is away or busy, before it is UNAVAILABLE. */
  s3PatienceMs: setting('STRATA_S3_PATIENCE_MS', values.milliseconds, '60000'),
};
