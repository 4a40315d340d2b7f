// The bucket as it should be when a process starts: there, and with rules that remove what nobody will ask for again. What our key may
// not change is left to whoever may.
import type { LifecycleConfig, LifecycleRule } from 'minio';
import { failedPrecondition, hasCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Connection } from './connection.ts';
import { codeOf } from './errors.ts';
import { listPage } from './list-objects.ts';

export interface PrepareOptions {
  region: string;
  uploadsKeepDays: number;
  log: Logger | undefined;
}

/** Fails where the store is away, does not accept our key, or has no such bucket and lets us make none. */
export async function prepareBucket(connection: Connection, options: PrepareOptions): Promise<void> {
  try {
    await listPage(connection, '', '', 1);
  } catch (error) {
    if (!isBucketMissing(error)) throw error;
    await makeBucket(connection, options);
  }
  await setLifecycle(connection, options);
}

const isBucketMissing = (error: unknown): boolean =>
  hasCode(error, 'FAILED_PRECONDITION') && error.details.code === 'NoSuchBucket';

async function makeBucket({ client, place, request }: Connection, { region, log }: PrepareOptions): Promise<void> {
  const { bucket, endpoint } = place;
  const make = () =>
    client.makeBucket(bucket, region).catch((error) => {
      if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(codeOf(error))) throw error;
    });
  try {
    await request(make);
    log?.info({ bucket, endpoint }, 'bucket created');
  } catch (cause) {
    if (!hasCode(cause, 'PERMISSION_DENIED')) throw cause;
    const message = `the object store at ${endpoint} has no bucket "${bucket}", and our key may not create it: create it, or set STRATA_S3_BUCKET`;
    throw failedPrecondition(message, { cause });
  }
}

/** Some servers (MinIO) remove incomplete uploads of their own accord and refuse a rule about them: then the first rule alone. */
async function setLifecycle(connection: Connection, { uploadsKeepDays, log }: PrepareOptions): Promise<void> {
  const { client, place, request } = connection;
  const ours = ourRules(uploadsKeepDays);
  try {
    const rules = await request(() => readRules(connection));
    const [here, others] = [rules.filter(isOurs), rules.filter((rule) => !isOurs(rule))];
    const isSet = ours.slice(0, here.length || 1).every((rule) => here.some((one) => sameRule(one, rule)));
    if (isSet) return;
    const set = (wanted: LifecycleRule[]) =>
      request(() => client.setBucketLifecycle(place.bucket, { Rule: [...others, ...wanted] }));
    await set(ours).catch(() => set(ours.slice(0, 1)));
    log?.info({ bucket: place.bucket, uploadsKeepDays }, 'lifecycle rules set');
  } catch (error) {
    log?.info(
      { bucket: place.bucket, error },
      'lifecycle rules could not be set; old uploads are removed by the services',
    );
  }
}

const ourRules = (uploadsKeepDays: number): LifecycleRule[] => [
  { ID: 'strata-uploads', Status: 'Enabled', Filter: { Prefix: 'uploads/' }, Expiration: { Days: uploadsKeepDays } },
  {
    ID: 'strata-incomplete-uploads',
    Status: 'Enabled',
    Filter: { Prefix: '' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  },
];

const isOurs = ({ ID }: LifecycleRule): boolean => String(ID).startsWith('strata-');

const sameRule = (a: LifecycleRule, b: LifecycleRule): boolean =>
  a.ID === b.ID &&
  a.Expiration?.Days === b.Expiration?.Days &&
  a.AbortIncompleteMultipartUpload?.DaysAfterInitiation === b.AbortIncompleteMultipartUpload?.DaysAfterInitiation;

async function readRules({ client, place }: Connection): Promise<LifecycleRule[]> {
  const config: LifecycleConfig | null = await client.getBucketLifecycle(place.bucket).catch((error) => {
    if (codeOf(error) === 'NoSuchLifecycleConfiguration') return null;
    throw error;
  });
  return config?.Rule ? [config.Rule].flat() : [];
}
