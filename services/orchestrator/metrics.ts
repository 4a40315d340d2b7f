// What the orchestrator tells: of the labels that wait, of pipeline runs, and of what the gate says. Read from what is stored, so a restart changes nothing.
import type { KeyValue } from '#lib/platform/key-value.ts';
import { type Metrics, shared } from '#lib/platform/telemetry/metrics.ts';
import { type Ledger, readLedger, waitingFiles } from './ledger.ts';
import { listPipelines } from './pipeline.ts';
import { isActive, listRecords, type PipelineRunRecord } from './pipeline-run.ts';

export interface OrchestratorMetrics {
  /** A pipeline run has come to its end. */
  ended(record: Pick<PipelineRunRecord, 'task' | 'phase'>): void;
}

export interface MetricsOptions {
  state: KeyValue;
  /** Milliseconds since 1970. */
  now: () => number;
}

export function createOrchestratorMetrics(metrics: Metrics, { state, now }: MetricsOptions): OrchestratorMetrics {
  const records = shared(() => listRecords(state));
  const ledgers = shared(async () =>
    Promise.all(
      (await listPipelines(state)).map(async ({ task }) => ({ task, ledger: await readLedger(state, task) })),
    ),
  );
  const tasks = async () => {
    const known = (await listPipelines(state)).map(({ task }) => task);
    known.forEach(begin);
    return known;
  };

  metrics.observed('strata_orchestrator_pipeline_runs', {
    help: 'Pipeline runs by task and phase.',
    labels: ['task', 'phase'],
    read: async () =>
      [...Map.groupBy(await records(), byTaskAndPhase)].map(([, [first, ...rest]]) => {
        const { task = '', phase = '' } = first ?? {};
        return [{ task, phase }, 1 + rest.length] as const;
      }),
  });
  metrics.observed('strata_orchestrator_pipeline_run_age_seconds', {
    help: 'How long the oldest unfinished pipeline run of a task has been under way; 0: none is.',
    labels: ['task'],
    read: async () => {
      const active = (await records()).filter(isActive);
      return (await tasks()).map((task) => {
        const begins = active.filter((record) => record.task === task).map(({ createTime }) => Date.parse(createTime));
        return [{ task }, secondsSince(Math.min(...begins), now())] as const;
      });
    },
  });
  metrics.observed('strata_orchestrator_refusals_in_a_row', {
    help: 'Candidates that the gate has refused since the last one that it let through.',
    labels: ['task'],
    read: async () => {
      const known = await records();
      return (await tasks()).map((task) => [{ task }, refusalsOf(known.filter((one) => one.task === task))] as const);
    },
  });
  metrics.observed('strata_orchestrator_waiting_examples', {
    help: 'Labelled examples that no batch has taken yet.',
    labels: ['task'],
    read: async () => (await ledgers()).map(({ task, ledger }) => [{ task }, examplesOf(ledger)] as const),
  });
  metrics.observed('strata_orchestrator_batch_age_seconds', {
    help: 'How long the oldest of the waiting labels has waited; 0: none waits.',
    labels: ['task'],
    read: async () =>
      (await ledgers()).map(({ task, ledger }) => {
        const since = waitingFiles(ledger).length ? ledger.firstWaitingAt : Infinity;
        return [{ task }, secondsSince(since, now())] as const;
      }),
  });
  const ended = metrics.counter<'task' | 'phase'>('strata_orchestrator_pipeline_runs_ended_total', {
    help: 'Pipeline runs that came to their end: promoted, refused or failed.',
    labels: ['task', 'phase'],
  });
  // Counters that are there before they count: the first failure is a rise as well.
  const begin = (task: string): void => {
    for (const phase of ['promoted', 'refused', 'failed']) ended.add({ task, phase }, 0);
  };
  return { ended: ({ task, phase }) => ended.add({ task, phase }) };
}

const byTaskAndPhase = ({ task, phase }: PipelineRunRecord): string => `${task} ${phase}`;

const examplesOf = (ledger: Ledger): number => waitingFiles(ledger).reduce((sum, { examples }) => sum + examples, 0);

const secondsSince = (at: number, now: number): number => (Number.isFinite(at) ? Math.max(0, now - at) / 1000 : 0);

function refusalsOf(records: PipelineRunRecord[]): number {
  const judged = records
    .filter(({ phase }) => phase === 'promoted' || phase === 'refused')
    .sort((a, b) => b.endTime.localeCompare(a.endTime));
  const last = judged.findIndex(({ phase }) => phase === 'promoted');
  return last < 0 ? judged.length : last;
}
