// What the orchestrator listens to: new labels, and the ends of training runs and evaluations that belong to a pipeline run.
import { readEvent, subjects } from '#lib/contracts/events.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { EventBus, Subscription } from '#lib/platform/event-bus.ts';
import type { Driver } from './driver.ts';

export interface SubscribeOptions {
  events: EventBus;
  driver: Driver;
}

export async function subscribeAll({ events, driver }: SubscribeOptions): Promise<Subscription[]> {
  const labels = await events.subscribe({
    durable: 'orchestrator-labels',
    subjects: [subjects.labelsAdded],
    handler: async (event) => {
      const added = readEvent(subjects.labelsAdded, event);
      if (!added) throw invalidArgument('data', `${event.type} ${event.id} does not carry what the catalogue says`);
      await driver.addLabels(added.task, { ...added.object, examples: added.examples });
    },
  });
  const ends = await events.subscribe({
    durable: 'orchestrator-ends',
    subjects: [subjects.runFinished, subjects.runFailed, subjects.evaluationCompleted],
    handler: async (event) => {
      const ended =
        readEvent(subjects.runFinished, event) ??
        readEvent(subjects.runFailed, event) ??
        readEvent(subjects.evaluationCompleted, event);
      const pipelineRun = ended?.labels.pipeline_run;
      if (pipelineRun) await driver.advance(pipelineRun);
    },
  });
  return [labels, ends];
}
