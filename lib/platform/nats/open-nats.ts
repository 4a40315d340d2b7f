// Events and state behind NATS JetStream: one connection, three streams (names.ts).
import type { Broker, OpenOptions } from '../broker.ts';
import { connectNats, type NatsConfig } from './connect.ts';
import { toAppError } from './errors.ts';
import { createEventBus } from './event-bus.ts';
import { createKeyValue } from './key-value.ts';
import { createLink } from './link.ts';
import { createNames } from './names.ts';
import { ensureStreams } from './streams.ts';

export async function openNats(config: NatsConfig, { log }: OpenOptions = {}): Promise<Broker> {
  const { natsUrl: address, natsPatienceMs: patienceMs, natsReplicas, natsPrefix } = config;
  const nc = await connectNats(config, log);
  try {
    const link = await createLink(nc, { address, patienceMs, log });
    const names = createNames(natsPrefix);
    const ensure = () => ensureStreams(link.jsm, names, natsReplicas);
    await link.persist('preparing its streams', ensure);
    // A server that came back without its disk has none.
    link.onReconnect(() => {
      ensure().catch((error) => log?.warn({ error: toAppError('preparing its streams', error) }, 'streams'));
    });
    const events = createEventBus({ link, names, log });
    const state = createKeyValue({ link, names });
    const close = async (): Promise<void> => {
      await events.close();
      await state.close();
      await nc.close();
    };
    return { events, state, close };
  } catch (error) {
    await nc.close();
    throw error;
  }
}
