// strata labels add, and strata pipeline: apply | list | delete | runs | trigger | watch

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import { Pipeline, type PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Act } from '../context.ts';
import { fields, table } from '../output.ts';
import { addLabels } from '../work/add-labels.ts';
import { pipelinePhaseName, watchPipelineRun } from '../work/watch-pipeline-run.ts';

const showRun = (run: PipelineRun): string =>
  fields({
    'pipeline run': run.id,
    task: run.task,
    phase: pipelinePhaseName(run.phase),
    dataset: formatRef(run.dataset),
    run: run.runId,
    evaluation: run.evaluationId,
    candidate: formatRef(run.candidate),
    incumbent: formatRef(run.incumbent),
    'candidate score': run.candidateScore || '',
    'incumbent score': run.incumbentScore || '',
    reason: run.reason,
  });

const showRuns = (runs: PipelineRun[]): string =>
  table(
    ['PIPELINE RUN', 'TASK', 'PHASE', 'CANDIDATE', 'SCORE', 'REASON'],
    runs.map((run) => [
      run.id,
      run.task,
      pipelinePhaseName(run.phase),
      formatRef(run.candidate),
      run.candidateScore ? run.candidateScore.toFixed(4) : '',
      run.reason,
    ]),
    'no pipeline run yet: drop labelled files into the inbox of a task (strata pipeline list)',
  );

const showPipelines = (pipelines: Pipeline[]): string =>
  table(
    ['TASK', 'BASE', 'MODEL', 'ALIAS', 'GATE', 'BATCH'],
    pipelines.map(({ task, base, outputModel, alias, gate, batching }) => [
      task,
      formatRef(base),
      outputModel,
      alias || 'production',
      gate
        ? `${gate.metric}${gate.threshold ? ` ${gate.threshold}` : ''}${gate.beatBaseline ? ', beats the baseline' : ''}`
        : '',
      batching ? `${batching.minExamples} examples or ${batching.maxWaitSeconds} s` : '',
    ]),
    'no pipeline yet: strata pipeline apply --help',
  );

export function addPipelineCommands(program: Command, act: Act): void {
  const pipeline = program
    .command('pipeline')
    .description('labelled data -> finetune -> evaluate -> promote if better');

  pipeline
    .command('apply <file>')
    .description(
      'declare a pipeline (JSON in the form of strata.orchestrator.v1.Pipeline), or replace the one of its task',
    )
    .addHelpText(
      'after',
      `\nExample file:\n  ${JSON.stringify({
        task: 'spam',
        base: { name: 'small' },
        objective: 'OBJECTIVE_CLASSIFY',
        hyperparameters: { maxSteps: 200 },
        outputModel: 'spam',
        gate: { metric: 'accuracy', beatBaseline: true },
        batching: { minExamples: 100, maxWaitSeconds: 600 },
      })}`,
    )
    .action(
      act(async (context, file: string) => {
        const text = await readFile(file, 'utf8').catch((cause) => {
          throw invalidArgument('file', `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
        });
        const { orchestrator } = await context.services();
        const { pipeline: applied } = await orchestrator.applyPipeline({
          pipeline: Pipeline.fromJSON(parseJson(file, text)),
        });
        context.output.result(applied ? [applied] : [], showPipelines);
      }),
    );

  pipeline
    .command('list')
    .description('the declared pipelines')
    .action(
      act(async (context) => {
        const { pipelines } = await (await context.services()).orchestrator.listPipelines({});
        context.output.result(pipelines, showPipelines);
      }),
    );

  pipeline
    .command('delete <task>')
    .description('take a pipeline back; runs that have begun go on, and labels stay')
    .action(
      act(async (context, task: string) => {
        await (await context.services()).orchestrator.deletePipeline({ task });
        context.output.result({ deleted: task }, () => `pipeline ${task}: deleted`);
      }),
    );

  pipeline
    .command('runs [task]')
    .description('what the pipelines did, the newest first')
    .action(
      act(async (context, task: string | undefined) => {
        const { orchestrator } = await context.services();
        const { pipelineRuns } = await orchestrator.listPipelineRuns({ task: task ?? '' });
        context.output.result(pipelineRuns, showRuns);
      }),
    );

  pipeline
    .command('trigger <task>')
    .description('start with the labels that are there')
    .action(
      act(async (context, task: string) => {
        const { orchestrator } = await context.services();
        const { pipelineRun } = await orchestrator.triggerPipeline({ requestId: randomUUID(), task });
        if (pipelineRun) context.output.result(await watchPipelineRun(context, pipelineRun.id), showRun);
      }),
    );

  pipeline
    .command('watch <id>')
    .description('follow a pipeline run until it ends')
    .action(act(async (context, id: string) => context.output.result(await watchPipelineRun(context, id), showRun)));
}

export function addLabelsCommands(program: Command, act: Act): void {
  program
    .command('labels')
    .description("a task's inbox of labelled data")
    .command('add <task> <file>')
    .description("put a labelled file into a task's inbox; its event starts the task's pipeline")
    .addHelpText('after', '\nExample:\n  strata labels add spam new-messages.csv')
    .action(
      act(async (context, task: string, file: string) => {
        const added = await addLabels(context, task, file);
        context.output.result(added, ({ key }) => key);
      }),
    );
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidArgument('file', `${file} is no JSON: ${(cause as Error).message}`);
  }
}
