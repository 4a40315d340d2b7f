// Asks the store to say when objects come (S3's bucket notifications). What is to be told is named by an ARN that the store itself was set up
// with; notifications that others asked for stay.
import { type Connection, connectS3, type S3Config, textOf } from './connection.ts';

export interface NotificationRequest {
  /** Names our request in the bucket's configuration: asking again replaces it. */
  id: string;
  /** `arn:minio:sqs::STRATA:nats` */
  arn: string;
  /** Objects whose key begins so. */
  prefix: string;
}

/** FAILED_PRECONDITION and the like where the store knows no such ARN, or no notifications. */
export async function requestNotifications(config: S3Config, wanted: NotificationRequest): Promise<void> {
  const connection = connectS3(config);
  try {
    const present = await connection.request(async () => textOf(await get(connection)));
    const others = Array.from(present.matchAll(/<(\w+Configuration)>.*?<\/\1>/gs), ([each]) => each);
    const kept = others.filter((each) => !each.includes(`<Id>${wanted.id}</Id>`));
    const asked = [...kept, queueConfiguration(wanted)].join('');
    await connection.request(async () => textOf(await put(connection, asked)));
  } finally {
    connection.close();
  }
}

const get = ({ client, place }: Connection) =>
  client.makeRequestAsync({ method: 'GET', bucketName: place.bucket, query: 'notification' });

const put = ({ client, place }: Connection, configurations: string) =>
  client.makeRequestAsync(
    { method: 'PUT', bucketName: place.bucket, query: 'notification' },
    `<NotificationConfiguration>${configurations}</NotificationConfiguration>`,
  );

const queueConfiguration = ({ id, arn, prefix }: NotificationRequest): string =>
  `<QueueConfiguration><Id>${id}</Id><Queue>${arn}</Queue><Event>s3:ObjectCreated:*</Event>` +
  `<Filter><S3Key><FilterRule><Name>prefix</Name><Value>${prefix}</Value></FilterRule></S3Key></Filter>` +
  '</QueueConfiguration>';
