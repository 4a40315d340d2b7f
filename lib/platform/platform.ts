// The four seams in one object, opened by one call. STRATA_PLATFORM chooses what is behind them; services never know.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from './config.ts';
import { openDatabase } from './embedded/database.ts';
import { createEventBus } from './embedded/event-bus.ts';
import { createJobRunner } from './embedded/job-runner.ts';
import { createKeyValue } from './embedded/key-value.ts';
import { openObjectStore } from './embedded/object-store.ts';
import type { EventBus } from './event-bus.ts';
import type { JobRunner } from './job-runner.ts';
import type { KeyValue } from './key-value.ts';
import type { Logger } from './log.ts';
import type { ObjectStore } from './object-store.ts';

export interface Platform {
  readonly events: EventBus;
  readonly state: KeyValue;
  readonly objects: ObjectStore;
  readonly jobs: JobRunner;
  close(): Promise<void>;
}

export interface PlatformConfig {
  readonly platform: 'embedded';
  /** Holds everything: state.db, objects/, jobs/. */
  readonly home: string;
  readonly jobEnvironment: Secret<Record<string, string>>;
}

/** Opens the seams; `log` is told of events that could not be handled. Several processes may open the same home. */
export async function openPlatform(config: PlatformConfig, { log }: { log?: Logger } = {}): Promise<Platform> {
  await mkdir(config.home, { recursive: true });
  const database = openDatabase(join(config.home, 'state.db'));
  const events = createEventBus(database, { log });
  const state = createKeyValue(database);
  const objects = await openObjectStore(join(config.home, 'objects'));
  const env = { ...config.jobEnvironment.reveal(), STRATA_PLATFORM: config.platform, STRATA_HOME: config.home };
  const jobs = createJobRunner({ folder: join(config.home, 'jobs'), env });
  const close = async (): Promise<void> => {
    await jobs.close();
    await events.close();
    await state.close();
    await objects.close();
    database.close();
  };
  return { events, state, objects, jobs, close };
}
