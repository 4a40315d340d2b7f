// An optional shortcut to the inbox: MinIO tells NATS of each new object, which becomes labels.added without waiting for the next listing.
// MinIO says so at least once, without an id, with the key URL-encoded, and not at all while NATS is away: the listing finds what it missed.
import { z } from 'zod';
import { objectKeys } from '#lib/contracts/keys.ts';
import { hasCode } from '#lib/platform/errors.ts';
import { followForeignSubject } from '#lib/platform/nats/foreign-subject.ts';
import { checkObjectKey } from '#lib/platform/object-store.ts';
import { requestNotifications } from '#lib/platform/s3/bucket-notifications.ts';
import type { OrchestratorConfig } from './config.ts';
import { announceLabels, type InboxOptions, taskOf } from './inbox.ts';

const notificationSchema = z.object({
  Records: z.array(
    z.object({
      eventName: z.string(),
      s3: z.object({
        bucket: z.object({ name: z.string() }),
        object: z.object({ key: z.string(), eTag: z.string().default(''), sequencer: z.string().default('') }),
      }),
    }),
  ),
});

/** Follows the subject until stopped, once the bucket has been asked to tell it. A store that cannot is a warning: there is the listing. */
export async function followMinio(config: OrchestratorConfig, inbox: InboxOptions): Promise<{ stop(): Promise<void> }> {
  const { log } = inbox;
  const { minioSubject: subject, minioArn: arn } = config;
  const handler = createNotificationHandler(inbox, config.s3Bucket);
  const following = await followForeignSubject(config, { subject, name: 'minio', handler, log });
  await requestNotifications(config, { id: 'strata-inbox', arn, prefix: `${objectKeys.inboxes}/` }).catch((error) =>
    log.warn({ error, arn }, 'the bucket does not tell of new objects; the inbox is listed instead'),
  );
  return following;
}

/** Makes labels.added of each new object below the inbox of `bucket`; a notification that came before changes nothing. */
export function createNotificationHandler(inbox: InboxOptions, bucket: string) {
  const seen = createMemory(10_000);
  return async (message: unknown): Promise<void> => {
    const { data, error } = notificationSchema.safeParse(message);
    if (!data) return inbox.log.warn({ error }, 'notification ignored: it is none of MinIO');
    for (const { eventName, s3 } of data.Records) {
      const { key: encoded, eTag, sequencer } = s3.object;
      if (s3.bucket.name !== bucket || !eventName.startsWith('s3:ObjectCreated:')) continue;
      const key = inboxKeyOf(encoded);
      const occurrence = `${key}\0${eTag}\0${sequencer}`;
      if (!key || seen.has(occurrence)) continue;
      await announceLabels(inbox, taskOf(key), key).catch((error) => {
        // Taken away again before we looked.
        if (!hasCode(error, 'NOT_FOUND')) throw error;
      });
      seen.add(occurrence);
    }
  };
}

/** `inbox%2Fspam%2Fa+b.jsonl` -> `inbox/spam/a b.jsonl`; undefined for what is no file of a task. */
function inboxKeyOf(encoded: string): string | undefined {
  try {
    const key = checkObjectKey(decodeURIComponent(encoded.replaceAll('+', ' ')));
    return key.startsWith(`${objectKeys.inboxes}/`) && key.split('/').length > 2 ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers the last so many. */
function createMemory(most: number) {
  const all = new Set<string>();
  return {
    has: (one: string) => all.has(one),
    add(one: string): void {
      all.add(one);
      for (const oldest of all) {
        if (all.size <= most) break;
        all.delete(oldest);
      }
    },
  };
}
