import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Client } from 'minio';
import { readEvent, type StrataEvent, subjects } from '#lib/contracts/events.ts';
import { createLogger } from '#lib/platform/log.ts';
import { type NatsServer, startNatsServer } from '#lib/platform/nats/nats-server.fixture.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { describeWithMinio } from '../../tests/support/describe-with-minio.ts';
import { type Minio, startMinio } from '../../tests/support/minio.ts';
import { until as untilSo } from '../../tests/support/until.ts';
import { loadConfig, type OrchestratorConfig } from './config.ts';
import { followMinio } from './minio-notifications.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const labels = 'a\tspam\nb\tham\n';

test('the setting without NATS or without S3 is a mistake', () => {
  expect(() => loadConfig({ STRATA_ORCHESTRATOR_MINIO_SUBJECT: 'minio.objects' })).toThrow(/needs STRATA_BROKER=nats/);
});

describeWithMinio('MinIO tells NATS of new labels', () => {
  let nats: NatsServer;
  let minio: Minio;
  let home = '';
  let config: OrchestratorConfig;
  let platform: Platform;
  let client: Client;
  const bucket = `labels-${randomUUID()}`;
  const added: StrataEvent[] = [];
  beforeAll(async () => {
    nats = await startNatsServer();
    minio = await startMinio({
      env: {
        MINIO_NOTIFY_NATS_ENABLE_STRATA: 'on',
        MINIO_NOTIFY_NATS_ADDRESS_STRATA: nats.address,
        MINIO_NOTIFY_NATS_SUBJECT_STRATA: 'minio.objects',
        MINIO_NOTIFY_NATS_JETSTREAM_STRATA: 'on',
      },
    });
    home = await mkdtemp(join(tmpdir(), 'strata-minio-notifications-'));
    const settings = minio.settings(bucket);
    config = loadConfig({
      ...settings,
      STRATA_HOME: home,
      STRATA_BROKER: 'nats',
      STRATA_NATS_URL: nats.url,
      STRATA_ORCHESTRATOR_MINIO_SUBJECT: 'minio.objects',
    });
    platform = await openPlatform(config, { log });
    const handler = async (event: StrataEvent) => void added.push(event);
    await platform.events.subscribe({ durable: 'test', subjects: [subjects.labelsAdded], handler });
    const { hostname, port } = new URL(minio.endpoint);
    client = new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey: settings.STRATA_S3_ACCESS_KEY ?? '',
      secretKey: settings.STRATA_S3_SECRET_KEY ?? '',
    });
  }, 900_000);
  afterAll(async () => {
    await platform?.close();
    await minio?.stop();
    await nats?.dispose();
    await rm(home, { recursive: true, force: true });
  });

  const until = (isSo: () => boolean): Promise<void> => untilSo(isSo, { timeoutMs: 20_000 });
  const keys = () => added.map((event) => readEvent(subjects.labelsAdded, event)?.object.key);

  test('a file that any S3 client drops into the inbox is announced, once, whatever is said how often', async () => {
    const following = await followMinio(config, { ...platform, log });
    await client.putObject(bucket, 'inbox/spam/new labels (1)+@.tsv', labels);
    await until(() => added.length > 0);
    expect(readEvent(subjects.labelsAdded, added[0] as StrataEvent)).toMatchObject({
      task: 'spam',
      examples: 2,
      object: { key: 'inbox/spam/new labels (1)+@.tsv', sizeBytes: labels.length },
    });
    await client.putObject(bucket, 'models/m/v1/config.json', '{}');
    await say(
      'no JSON',
      '{"what":"is this"}',
      notification('inbox/spam/new+labels+%281%29%2B%40.tsv'),
      notification('inbox/spam/gone.tsv'),
      notification('inbox/../etc/passwd'),
      notification('inbox/spam/other.tsv', 'another-bucket'),
    );
    await client.putObject(bucket, 'inbox/spam/last.tsv', labels.repeat(2));
    await until(() => keys().includes('inbox/spam/last.tsv'));
    await untilHandled();
    await following.stop();
    expect(keys()).toEqual(['inbox/spam/new labels (1)+@.tsv', 'inbox/spam/last.tsv']);
  });

  test('what comes while nobody listens is announced when somebody does again', async () => {
    const count = added.length;
    await client.putObject(bucket, 'inbox/spam/meanwhile.tsv', labels.repeat(3));
    const following = await followMinio(config, { ...platform, log });
    await until(() => keys().includes('inbox/spam/meanwhile.tsv'));
    await following.stop();
    expect(added.length).toBe(count + 1);
  });

  test('NATS comes back after an outage, and new files are announced again', async () => {
    const following = await followMinio(config, { ...platform, log });
    await nats.kill();
    await nats.start();
    // MinIO connects again after two seconds at most; what falls before is the listing's.
    for (let i = 0; i < 50 && !keys().includes('inbox/spam/after.tsv'); i++) {
      await client.putObject(bucket, 'inbox/spam/after.tsv', labels.repeat(4));
      await delay(200);
    }
    await following.stop();
    expect(keys().filter((key) => key === 'inbox/spam/after.tsv')).toHaveLength(1);
  });

  const notification = (key: string, name = bucket): string => {
    const s3 = { bucket: { name }, object: { key, eTag: 'x', sequencer: randomUUID() } };
    return JSON.stringify({ EventName: 's3:ObjectCreated:Put', Records: [{ eventName: 's3:ObjectCreated:Put', s3 }] });
  };

  async function say(...messages: string[]): Promise<void> {
    const connection = await connect({ servers: nats.url });
    for (const message of messages) await jetstream(connection).publish('minio.objects', message);
    await connection.close();
  }

  /** The stream of notifications is empty: a work queue keeps what is not handled. */
  async function untilHandled(): Promise<void> {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    for (;;) {
      const { state } = await manager.streams.info('strata-minio');
      if (state.messages === 0) break;
      await delay(50);
    }
    await connection.close();
  }
});
