// The three streams of an installation, made or brought up to date whenever one of its processes connects.
import {
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { apiCodes, hasApiCode } from './errors.ts';
import type { Names } from './names.ts';

type Wanted = Partial<StreamConfig> & { name: string };

const dayMs = 24 * 3600 * 1000;

const common = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  // Where an answer to a publisher was lost, its next try within this time is recognised.
  duplicate_window: nanos(2 * 60 * 1000),
  // Reads go to the leader: a follower's may be older than what the same client wrote.
  allow_direct: false,
};

const wantedStreams = (names: Names, replicas: number): Wanted[] => [
  {
    ...common,
    name: names.events,
    description: 'Strata: events',
    subjects: names.eventSubjects,
    discard: DiscardPolicy.Old,
    max_age: nanos(30 * dayMs),
    num_replicas: replicas,
  },
  {
    ...common,
    name: names.deadLetters,
    description: 'Strata: events that could not be handled (strata events dead-letters)',
    subjects: names.deadSubjects,
    discard: DiscardPolicy.Old,
    max_age: nanos(90 * dayMs),
    max_msgs: 10_000,
    num_replicas: replicas,
  },
  {
    ...common,
    name: names.state,
    description: 'Strata: state',
    subjects: names.stateSubjects,
    discard: DiscardPolicy.New,
    // One would do for readers. The others are the memory that recognises a write tried again after a crash: a message takes its id along.
    // Eight were too few for a client that came back late to a key that others write all the time.
    max_msgs_per_subject: 64,
    allow_rollup_hdrs: true,
    // Deletions leave a marker for watchers, which expires.
    allow_msg_ttl: true,
    deny_delete: true,
    num_replicas: replicas,
  },
];

/** Safe for many processes at once, and again at any time. */
export async function ensureStreams(jsm: JetStreamManager, names: Names, replicas: number): Promise<void> {
  for (const wanted of wantedStreams(names, replicas)) await ensureStream(jsm, wanted);
}

async function ensureStream(jsm: JetStreamManager, wanted: Wanted): Promise<void> {
  const found = await jsm.streams.info(wanted.name).catch((error) => {
    if (hasApiCode(error, apiCodes.streamNotFound)) return undefined;
    throw error;
  });
  if (found && fits(found.config, wanted)) return;
  if (found) return void (await jsm.streams.update(wanted.name, wanted));
  await jsm.streams.add(wanted).catch((error) => {
    // Another process was faster.
    if (!hasApiCode(error, apiCodes.streamExistsOtherwise)) throw error;
  });
}

/** Deleted and made anew: a purge would leave the ids of the last minutes, and their messages would be taken for repetitions. */
export async function emptyStream(jsm: JetStreamManager, name: string): Promise<void> {
  const { config } = await jsm.streams.info(name);
  await jsm.streams.delete(name);
  await jsm.streams.add(config);
}

const fits = (config: StreamConfig, wanted: Wanted): boolean =>
  Object.entries(wanted).every(([key, value]) => {
    const found = config[key as keyof StreamConfig];
    // What is off is left out of the answer.
    return value === false ? !found : JSON.stringify(found) === JSON.stringify(value);
  });
