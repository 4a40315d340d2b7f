// An evaluation's worker: one evaluation, task by task, then it ends.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { resolveEngine } from '#lib/platform/artifacts.ts';
import { fromUnknown, hasCode, isAbortError } from '#lib/platform/errors.ts';
import { createLogger } from '#lib/platform/log.ts';
import { inJob } from '#lib/platform/run-job.ts';
import { nextSignal, type ServiceContext } from '#lib/platform/run-service.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { changeEvaluation } from '../evaluation.ts';
import { interruptedExitCode } from '../worker-protocol.ts';
import { loadConfig, type WorkerConfig } from './config.ts';
import { runTasks } from './run-tasks.ts';

/** A service that is away is not asked without pause. */
const beforeAnotherMs = 1000;

async function work(config: WorkerConfig, { platform, log, connect }: ServiceContext): Promise<number> {
  const { evaluationId, cacheDir, device } = config;
  const stopping = new AbortController();
  void nextSignal().then(() => stopping.abort());
  const dataSampler = connect(DataSamplerServiceDefinition, config.dataSamplerAddress);
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  try {
    openEngine({
      libraryDir: await resolveEngine(device, { cacheDir }),
      device,
      compileCacheDir: join(cacheDir, 'xla'),
    });
    await runTasks({
      evaluationId,
      state: platform.state,
      objects: platform.objects,
      dataSampler: dataSampler.client,
      weightLoader: weightLoader.client,
      signal: stopping.signal,
    });
    return 0;
  } catch (error) {
    if (stopping.signal.aborted || isAbortError(error)) return interruptedExitCode;
    if (hasCode(error, 'UNAVAILABLE', 'ABORTED', 'DEADLINE_EXCEEDED')) {
      log.warn({ error }, 'a service is away: another worker will try again');
      await delay(beforeAnotherMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      return interruptedExitCode;
    }
    const { code, message } = fromUnknown(error);
    log.error({ error }, message);
    const endTime = new Date().toISOString();
    const reason = code === 'INTERNAL' ? `${message} (a bug: see the job's log)` : message;
    await changeEvaluation(platform.state, evaluationId, (record) => ({
      ...record,
      phase: 'failed',
      error: reason,
      endTime,
    }));
    return 0;
  } finally {
    await Promise.all([dataSampler.close(), weightLoader.close()]);
  }
}

const config = loadConfig();
const log = createLogger({ service: 'evaluator', level: config.logLevel }).child({ evaluation: config.evaluationId });
const attributes = { 'strata.evaluation.id': config.evaluationId };
const options = { name: 'evaluator-worker', log, attributes };
process.exit(await inJob(config, options, (context) => work(config, context)));
