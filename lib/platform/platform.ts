// The four seams in one object, opened by one call. Settings choose what is behind each; services never know.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Broker, OpenOptions } from './broker.ts';
import { openDatabase } from './embedded/database.ts';
import { createEventBus } from './embedded/event-bus.ts';
import { createJobRunner } from './embedded/job-runner.ts';
import { createKeyValue } from './embedded/key-value.ts';
import { openObjectStore } from './embedded/object-store.ts';
import type { EventBus } from './event-bus.ts';
import type { JobRunner } from './job-runner.ts';
import type { KeyValue } from './key-value.ts';
import type { ObjectStore } from './object-store.ts';
import type { PlatformConfig } from './settings.ts';

export interface Platform {
  readonly events: EventBus;
  readonly state: KeyValue;
  readonly objects: ObjectStore;
  readonly jobs: JobRunner;
  close(): Promise<void>;
}

/** Opens the seams. Several processes may open the same ones. What is not chosen is not loaded. */
export async function openPlatform(config: PlatformConfig, options: OpenOptions = {}): Promise<Platform> {
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.unshift(one);
    return one;
  };
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0)) await one.close();
  };
  try {
    const { events, state } = keep(await openBroker[config.broker](config, options));
    const objects = keep(await openObjects[config.objectStore](config, options));
    const jobs = keep(await openJobs[config.jobRunner](config, options));
    return { events, state, objects, jobs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Open<T> = (config: PlatformConfig, options: OpenOptions) => Promise<T>;

const openBroker: Record<PlatformConfig['broker'], Open<Broker>> = {
  embedded: async ({ home }, { log }) => {
    await mkdir(home, { recursive: true });
    const database = openDatabase(join(home, 'state.db'));
    const events = createEventBus(database, { log });
    const state = createKeyValue(database);
    const close = async (): Promise<void> => {
      await events.close();
      await state.close();
      database.close();
    };
    return { events, state, close };
  },
  nats: async (config, options) => (await import('./nats/open-nats.ts')).openNats(config, options),
};

const openObjects: Record<PlatformConfig['objectStore'], Open<ObjectStore>> = {
  embedded: ({ home }) => openObjectStore(join(home, 'objects')),
  s3: async (config, options) => (await import('./s3/open-s3.ts')).openS3(config, options),
};

const openJobs: Record<PlatformConfig['jobRunner'], Open<JobRunner>> = {
  embedded: async ({ home, jobEnvironment }) =>
    createJobRunner({ folder: join(home, 'jobs'), env: { ...jobEnvironment.reveal(), STRATA_HOME: home } }),
  kubernetes: async (config, options) =>
    (await import('./kubernetes/open-job-runner.ts')).openJobRunner(config, options),
};
