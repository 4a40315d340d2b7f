// A nats-server and a MinIO of their own, and the environment that puts the services on them (jobs stay child processes).
import { startNatsServer } from '#lib/platform/nats/nats-server.fixture.ts';
import { startMinio } from './minio.ts';

export interface RealBackends extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
}

export async function startRealBackends(): Promise<RealBackends> {
  const [nats, minio] = await Promise.all([startNatsServer(), startMinio()]);
  return {
    environment: { STRATA_BROKER: 'nats', STRATA_NATS_URL: nats.url, ...minio.settings('strata') },
    async [Symbol.asyncDispose]() {
      await Promise.all([nats.dispose(), minio.stop()]);
    },
  };
}
