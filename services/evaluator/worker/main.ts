// An evaluation's worker: one evaluation, task by task, then it ends.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { resolveEngine } from '#lib/platform/artifacts.ts';
import { fromUnknown, hasCode, isAbortError } from '#lib/platform/errors.ts';
import { createConnect } from '#lib/platform/grpc-client.ts';
import { createLogger, type Logger } from '#lib/platform/log.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { nextSignal } from '#lib/platform/run-service.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { changeEvaluation } from '../evaluation.ts';
import { interruptedExitCode } from '../worker-protocol.ts';
import { loadConfig, type WorkerConfig } from './config.ts';
import { runTasks } from './run-tasks.ts';

/** A service that is away is not asked without pause. */
const beforeAnotherMs = 1000;

async function work(config: WorkerConfig, platform: Platform, log: Logger): Promise<number> {
  const { evaluationId, cacheDir, device } = config;
  const stopping = new AbortController();
  void nextSignal().then(() => stopping.abort());
  const connect = createConnect(config);
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
const platform = await openPlatform(config);
const exitCode = await work(config, platform, log);
await platform.close();
process.exit(exitCode);
