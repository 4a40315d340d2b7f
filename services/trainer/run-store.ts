// Runs in the key-value store: every change is a compare-and-set, so that the API, supervisors and workers never undo each other.
import { keys } from '#lib/contracts/keys.ts';
import { failedPrecondition, hasCode, notFound } from '#lib/platform/errors.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import { type Run, RunMoveError } from './run.ts';

export interface RunStore {
  /** Stores a new run; where its id is taken, gives the one that is there. */
  create(run: Run): Promise<Run>;
  find(id: string): Promise<Run | undefined>;
  /** NOT_FOUND for an unknown id. */
  get(id: string): Promise<Run>;
  /** Newest first. */
  list(): Promise<Run[]>;
  /** `change` may be called several times; undefined leaves the run as it is. A forbidden move is FAILED_PRECONDITION. */
  update(id: string, change: (run: Run) => Run | undefined): Promise<Run>;
  /** The run as it is, then whenever it changes. */
  watch(id: string, signal: AbortSignal): AsyncIterable<Run>;
  /** Every run, then every change of any. */
  watchAll(signal: AbortSignal): AsyncIterable<Run>;
}

export const createRunStore = (state: KeyValue): RunStore => {
  const find = async (id: string) => (await state.get<Run>(keys.run(id)))?.value;

  async function* watchKey(key: string, signal: AbortSignal): AsyncGenerator<Run> {
    for await (const change of state.watch<Run>(key, { signal })) if (change.kind === 'put') yield change.value;
  }

  return {
    find,
    create: async (run) => {
      const key = keys.run(run.id);
      try {
        await state.put(key, run, { expectedRevision: 0 });
        return run;
      } catch (error) {
        if (!hasCode(error, 'ABORTED')) throw error;
        return (await state.get<Run>(key))?.value ?? run;
      }
    },
    get: async (id) => {
      const run = id === '' ? undefined : await find(id);
      if (!run) throw notFound('run', id, '`strata run list` shows what there is');
      return run;
    },
    list: async () => {
      const entries = await state.list<Run>(keys.runs);
      return entries.map(({ value }) => value).sort((a, b) => b.createTime.localeCompare(a.createTime));
    },
    update: async (id, change) => {
      try {
        const updated = await update<Run>(state, keys.run(id), (run) => {
          if (!run) throw notFound('run', id);
          return change(run);
        });
        return updated as Run;
      } catch (error) {
        if (error instanceof RunMoveError) throw failedPrecondition(error.message, { cause: error });
        throw error;
      }
    },
    watch: (id, signal) => watchKey(keys.run(id), signal),
    watchAll: (signal) => watchKey(keys.runs, signal),
  };
};
