// PLACEHOLDER until its owner commits the real one (minutes): keeps types whole.
import { AppError } from '../errors.ts';
import type { Broker, OpenOptions } from '../platform.ts';
import type { PlatformConfig } from '../settings.ts';

export async function openNats(_: PlatformConfig, __: OpenOptions): Promise<Broker> {
  throw new AppError('UNIMPLEMENTED', 'nats is not there yet');
}
