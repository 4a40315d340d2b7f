// Where NATS is and who we are to it.
import { z } from 'zod';
import { secretSetting, setting, values } from '../config.ts';

export const natsSettings = {
  /** Several servers of one cluster, separated by commas. */
  natsUrl: setting('STRATA_NATS_URL', values.text, 'nats://127.0.0.1:4222'),
  /** A `.creds` file (JWT and seed), instead of user and password. */
  natsCredentialsFile: setting('STRATA_NATS_CREDENTIALS_FILE', values.text, ''),
  natsUser: setting('STRATA_NATS_USER', values.text, ''),
  natsPassword: secretSetting('STRATA_NATS_PASSWORD', z.string(), ''),
  natsCaFile: setting('STRATA_NATS_CA_FILE', values.text, ''),
  natsCertFile: setting('STRATA_NATS_CERT_FILE', values.text, ''),
  natsKeyFile: setting('STRATA_NATS_KEY_FILE', values.text, ''),
  /** Copies of each stream and bucket in a cluster of servers. */
  natsReplicas: setting('STRATA_NATS_REPLICAS', values.integer.min(1).max(5), '1'),
  /** Begins the names of streams and buckets, so that several installations can share a server. */
  natsPrefix: setting(
    'STRATA_NATS_PREFIX',
    z.string().regex(/^[a-z0-9-]+$/, 'lower-case letters, digits, dashes'),
    'strata',
  ),
  /** How long a call waits for a server that is away before it fails with UNAVAILABLE. */
  natsPatienceMs: setting('STRATA_NATS_PATIENCE_MS', values.milliseconds, '30000'),
};
