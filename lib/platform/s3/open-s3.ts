// PLACEHOLDER until its owner commits the real one (minutes): keeps types whole.
import { AppError } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import type { OpenOptions } from '../platform.ts';
import type { PlatformConfig } from '../settings.ts';

export async function openS3(_: PlatformConfig, __: OpenOptions): Promise<ObjectStore> {
  throw new AppError('UNIMPLEMENTED', 's3 is not there yet');
}
