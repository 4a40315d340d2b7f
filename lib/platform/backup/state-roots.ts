// What of the state a backup holds. The table names every root (or does not compile), in the order in which a backup reads them: what names others
// first, what is named last. While services work, what is read later is newer, so whatever a record names is there. A restore writes the other way round.
import { z } from 'zod';
import type { StateRoot } from '#lib/contracts/keys.ts';
import type { Entry, KeyValue } from '../key-value.ts';

interface Root {
  /** Of the moment only: neither kept nor restored. */
  isPassing?: true;
  /** Below each key of this root lie entries of that key's own, too many to be listed together. */
  isListedBy?: StateRoot;
  /** Read when the objects have been: a checkpoint of the archive must not be newer than these. */
  isReadLast?: true;
  /** What an installation has without anybody having made anything: no hindrance for a restore. */
  comesByItself?: (entry: Entry) => boolean;
}

const always = (): boolean => true;

/** A tokenizer of which each version is built in (services/tokenizer/built-ins.ts). */
const builtIn = z.object({ versions: z.array(z.object({ requestId: z.literal('built-in') })) });

const table: Record<StateRoot, Root> = {
  'pipeline-runs': {},
  // The ledger: a pipeline run that it names and that is not there is made from it.
  labels: {},
  // Declared in values, perhaps.
  pipelines: { comesByItself: always },
  evaluations: {},
  runs: {},
  // A worker writes them before the checkpoint that they lead to, and goes on behind that: what is missing then is never written again.
  metrics: { isListedBy: 'runs', isReadLast: true },
  models: {},
  datasets: {},
  tokenizers: { comesByItself: ({ value }) => builtIn.safeParse(value).success },
  activity: { isPassing: true, comesByItself: always },
};

export interface NamedRoot extends Root {
  name: StateRoot;
}

export const stateRoots: readonly NamedRoot[] = Object.entries(table).map(([name, root]) => ({
  ...root,
  name: name as StateRoot,
}));

/** Every entry of a root. */
export async function* entriesOf(state: KeyValue, { name, isListedBy }: NamedRoot): AsyncGenerator<Entry> {
  if (!isListedBy) {
    yield* await state.list(name);
    return;
  }
  for (const { key } of await state.list(isListedBy)) {
    yield* await state.list(`${name}.${key.slice(isListedBy.length + 1)}`);
  }
}

export const keptRoots = stateRoots.filter(({ isPassing }) => !isPassing);
