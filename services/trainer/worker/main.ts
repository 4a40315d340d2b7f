// A worker: one attempt at one training run, as a process of its own (a child process, or a Kubernetes Job). SIGTERM: it finishes the step,
// saves a checkpoint and exits with `interrupted`.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { resolveEngine } from '#lib/platform/artifacts.ts';
import { createLogger, type Logger } from '#lib/platform/log.ts';
import { inJob } from '#lib/platform/run-job.ts';
import { nextSignal, type ServiceContext } from '#lib/platform/run-service.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { moveRun, type Run } from '../run.ts';
import { createRunStore } from '../run-store.ts';
import { exitCodes } from '../worker-protocol.ts';
import { type Claim, createClaim, SupersededError } from './claim.ts';
import { loadConfig, type WorkerConfig } from './config.ts';
import { toFailure } from './fail.ts';
import { work } from './work.ts';

const main = (config: WorkerConfig): Promise<number> => {
  const { runId, attempt } = config;
  const name = 'trainer-worker';
  const log = createLogger({ service: name, level: config.logLevel }).child({ run: runId, attempt });
  const attributes = { 'strata.run.id': runId, 'strata.run.attempt': attempt };
  return inJob(config, { name, log, attributes }, (context) => workOn(config, context));
};

const workOn = async (config: WorkerConfig, { platform, connect, log }: ServiceContext): Promise<number> => {
  const { runId, attempt } = config;
  const stop = new AbortController();
  void nextSignal().then((signal) => {
    log.info({ signal }, 'asked to stop');
    stop.abort();
  });
  const dataSampler = connect(DataSamplerServiceDefinition, config.dataSamplerAddress);
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const claim = createClaim(createRunStore(platform.state), runId, attempt);
  try {
    const outcome = await work({
      claim,
      platform,
      dataSampler: dataSampler.client,
      weightLoader: weightLoader.client,
      codeVersion: packageJson.version,
      patienceMs: config.patienceMs,
      openEngine: (run) => openEngineFor(run, config),
      stop: stop.signal,
      log,
    });
    return outcome === 'finished' ? exitCodes.done : exitCodes.interrupted;
  } catch (error) {
    return await giveUp(error, { claim, runId, log });
  } finally {
    await Promise.allSettled([dataSampler.close(), weightLoader.close()]);
  }
};

/** A run may name its device; any other word is a resource profile of the cluster, and the device is what the worker's machine is set to. */
const openEngineFor = async ({ spec }: Run, { device, cacheDir }: WorkerConfig): Promise<void> => {
  const compileCacheDir = join(cacheDir, 'xla');
  await mkdir(compileCacheDir, { recursive: true });
  const wanted = spec.device === 'cpu' || spec.device === 'cuda' ? spec.device : device;
  openEngine({ libraryDir: await resolveEngine(wanted, { cacheDir }), device: wanted, compileCacheDir });
};

const giveUp = async (
  error: unknown,
  { claim, runId, log }: { claim: Claim; runId: string; log: Logger },
): Promise<number> => {
  if (error instanceof SupersededError) {
    log.warn({ reason: error.message }, 'another worker has the run');
    return exitCodes.done;
  }
  const { final, message } = toFailure(error, runId);
  log.error({ error, final }, message);
  const note = (run: Run): Run =>
    final ? moveRun(run, { phase: 'failed', error: message }, new Date()) : { ...run, workerError: message };
  await claim.update(note).catch((cause) => log.error({ error: cause }, 'the reason cannot be stored'));
  return exitCodes.gaveUp;
};

process.exitCode = await main(loadConfig());
process.exit();
