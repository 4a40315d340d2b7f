// PLACEHOLDER until its owner commits the real one (minutes): keeps types whole.
import { AppError } from '../errors.ts';
import type { JobRunner } from '../job-runner.ts';
import type { OpenOptions } from '../platform.ts';
import type { PlatformConfig } from '../settings.ts';

export async function openJobRunner(_: PlatformConfig, __: OpenOptions): Promise<JobRunner> {
  throw new AppError('UNIMPLEMENTED', 'kubernetes is not there yet');
}
