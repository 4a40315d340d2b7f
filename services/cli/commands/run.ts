// strata run: create | list | show | watch | cancel | resume
import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { DeepPartial, RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { Objective, Phase, type Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError, invalidArgument } from '#lib/platform/errors.ts';
import type { Act, Context } from '../context.ts';
import { toNumber } from '../options.ts';
import { fields, formatCount, table } from '../output.ts';
import { parseMixturePart, parseRef } from '../refs.ts';
import { ensureEngine } from '../work/fetch-from-catalogue.ts';
import { describeMetrics, watchRun } from '../work/watch-run.ts';

const objectives = {
  pretrain: Objective.OBJECTIVE_PRETRAIN,
  classify: Objective.OBJECTIVE_CLASSIFY,
  instruct: Objective.OBJECTIVE_INSTRUCT,
} as const;

const phaseName = (phase: Phase): string =>
  Object.entries(Phase)
    .find(([, value]) => value === phase)?.[0]
    .replace('PHASE_', '')
    .toLowerCase() ?? 'unknown';

const show = (run: Run): string =>
  fields({
    run: run.id,
    name: run.name,
    phase: phaseName(run.phase),
    model: formatRef(run.model),
    parameters: run.parameters ? formatCount(run.parameters) : '',
    step: run.lastMetrics ? `${run.lastMetrics.step} of ${run.spec?.hyperparameters?.maxSteps ?? '?'}` : '',
    metrics: run.lastMetrics ? describeMetrics(run.lastMetrics) : '',
    checkpoint: run.checkpointStep ? `step ${run.checkpointStep}` : '',
    waiting: run.waitingFor,
    error: run.error,
    created: run.createTime,
    ended: run.endTime,
  });

interface CreateFlags {
  objective: keyof typeof objectives;
  base?: string;
  architecture: 'gpt2' | 'llama';
  layers: number;
  heads: number;
  kvHeads: number;
  width: number;
  context: number;
  dropout: number;
  bias: boolean;
  steps: number;
  batchSize: number;
  accumulation: number;
  learningRate: number;
  minLearningRate: number;
  warmup: number;
  beta2: number;
  weightDecay: number;
  gradClip: number;
  trainLastLayers: number;
  evalEvery: number;
  checkpointEvery: number;
  keepBest?: boolean;
  seed: number;
  output: string;
  device: string;
  detach?: boolean;
}

/** The flags as the trainer's request; 0 stands for the trainer's own default. */
function toSpec(datasets: string[], flags: CreateFlags): DeepPartial<RunSpec> {
  if (flags.base === undefined && flags.objective !== 'pretrain') {
    throw invalidArgument('base', `--objective ${flags.objective} starts from a model: add --base <model>`);
  }
  const architecture = {
    modelType: flags.architecture,
    nLayer: flags.layers,
    nHead: flags.heads,
    nKvHead: flags.kvHeads,
    nEmbd: flags.width,
    blockSize: flags.context,
    dropout: flags.dropout,
    noBias: !flags.bias,
  };
  const start: DeepPartial<RunSpec['start']> =
    flags.base === undefined
      ? { $case: 'architecture', value: architecture }
      : { $case: 'base', value: parseRef(flags.base) };
  return {
    objective: objectives[flags.objective],
    start,
    mixture: datasets.map(parseMixturePart),
    hyperparameters: {
      maxSteps: flags.steps,
      batchSize: flags.batchSize,
      accumulationSteps: flags.accumulation,
      blockSize: flags.base === undefined ? flags.context : 0,
      learningRate: flags.learningRate,
      minLearningRate: flags.minLearningRate,
      warmupSteps: flags.warmup,
      beta2: flags.beta2,
      weightDecay: flags.weightDecay,
      gradClip: flags.gradClip,
      dropout: flags.dropout,
      trainLastLayers: flags.trainLastLayers,
      evalEvery: flags.evalEvery,
      checkpointEvery: flags.checkpointEvery,
      keepBest: flags.keepBest ?? false,
    },
    seed: flags.seed,
    outputModel: flags.output,
    device: flags.device,
  };
}

async function createRun(context: Context, name: string, datasets: string[], flags: CreateFlags): Promise<void> {
  await ensureEngine(context);
  const { trainer, startedHere } = await context.services();
  if (flags.detach && startedHere) {
    throw new AppError(
      'FAILED_PRECONDITION',
      'a detached run needs services that stay: start `strata up` in another terminal',
    );
  }
  const { run } = await trainer.createRun({ requestId: randomUUID(), name, spec: toSpec(datasets, flags) });
  if (!run) throw new AppError('INTERNAL', 'the trainer returned no run: try again');
  if (flags.detach) return context.output.result(run, show);
  context.output.note(`run ${run.id}; Ctrl-C stops watching`);
  const { run: ended } = await watchRun(context, run.id);
  context.output.result(ended, show);
}

export function addRunCommands(program: Command, act: Act): void {
  const run = program.command('run').description('training runs: pretrain, finetune a classifier or an assistant');

  run
    .command('create <name> <datasets...>')
    .description('train on datasets (name or name=weight)')
    .addOption(
      new Option('--objective <objective>', 'what is learnt').choices(Object.keys(objectives)).default('pretrain'),
    )
    .option('--base <model>', 'finetune this model; without it a fresh one is trained')
    .addOption(new Option('--architecture <type>', 'fresh model').choices(['gpt2', 'llama']).default('gpt2'))
    .option('--layers <n>', 'fresh model: blocks', toNumber, 4)
    .option('--heads <n>', 'fresh model: attention heads', toNumber, 4)
    .option('--kv-heads <n>', 'fresh model: key/value heads (llama)', toNumber, 0)
    .option('--width <n>', 'fresh model: embedding size', toNumber, 128)
    .option('--context <n>', 'fresh model: tokens of context', toNumber, 128)
    .option('--dropout <share>', 'dropout', toNumber, 0)
    .option('--no-bias', 'fresh model: no biases')
    .option('--steps <n>', 'optimiser steps', toNumber, 0)
    .option('--batch-size <n>', 'rows of a micro-batch', toNumber, 0)
    .option('--accumulation <n>', 'micro-batches of a step', toNumber, 0)
    .option('--learning-rate <rate>', 'peak learning rate', toNumber, 0)
    .option('--min-learning-rate <rate>', 'where the cosine ends', toNumber, 0)
    .option('--warmup <steps>', 'steps of linear warm-up', toNumber, 0)
    .option('--beta2 <value>', "AdamW's second beta", toNumber, 0)
    .option('--weight-decay <value>', 'decoupled decay of matrices', toNumber, 0.1)
    .option('--grad-clip <norm>', 'largest gradient norm', toNumber, 1)
    .option('--train-last-layers <n>', 'finetune only the last n blocks and the head', toNumber, 0)
    .option('--eval-every <steps>', 'evaluate every n steps', toNumber, 0)
    .option('--checkpoint-every <steps>', 'checkpoint every n steps', toNumber, 0)
    .option('--keep-best', 'keep the weights of the best validation loss')
    .option('--seed <n>', 'seed of weights, order and dropout', toNumber, 1)
    .option('--output <model>', "name of the result; default: the run's", '')
    .option('--device <device>', 'cpu, cuda, or a resource profile', '')
    .option('--detach', 'do not wait for the end (needs `strata up`)')
    .addHelpText(
      'after',
      '\nExamples:\n  strata run create small docs --layers 4 --heads 4 --width 128 --context 128 --steps 2000\n  strata run create spam sms --objective classify --base small --steps 200',
    )
    .action(act(createRun));

  run
    .command('list')
    .description('all runs, the newest first')
    .action(
      act(async (context) => {
        const { runs } = await (await context.services()).trainer.listRuns({});
        context.output.result(runs, (all) =>
          table(
            ['RUN', 'NAME', 'PHASE', 'STEP', 'LOSS', 'MODEL'],
            all.map((one) => [
              one.id,
              one.name,
              phaseName(one.phase),
              `${one.lastMetrics?.step ?? 0}/${one.spec?.hyperparameters?.maxSteps ?? 0}`,
              one.lastMetrics ? one.lastMetrics.loss.toFixed(3) : '',
              formatRef(one.model),
            ]),
            'no run yet: strata run create --help',
          ),
        );
      }),
    );

  run
    .command('show <run>')
    .description('one run')
    .action(
      act(async (context, runId: string) => {
        const { run: found } = await (await context.services()).trainer.getRun({ runId });
        if (found) context.output.result(found, show);
      }),
    );

  run
    .command('watch <run>')
    .description('follow a run until it ends')
    .action(
      act(async (context, runId: string) => {
        const { run: ended } = await watchRun(context, runId);
        context.output.result(ended, show);
      }),
    );

  run
    .command('cancel <run>')
    .description('checkpoint and stop; `strata run resume` goes on from there')
    .action(
      act(async (context, runId: string) => {
        const { run: cancelled } = await (await context.services()).trainer.cancelRun({ runId });
        if (cancelled) context.output.result(cancelled, show);
      }),
    );

  run
    .command('resume <run>')
    .description('go on from the newest whole checkpoint')
    .action(
      act(async (context, runId: string) => {
        await ensureEngine(context);
        await (await context.services()).trainer.resumeRun({ runId });
        const { run: ended } = await watchRun(context, runId);
        context.output.result(ended, show);
      }),
    );
}
