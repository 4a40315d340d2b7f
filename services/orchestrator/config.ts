// Environment -> the orchestrator's configuration.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('orchestrator'),
  dataSamplerAddress: addressOf('data-sampler'),
  trainerAddress: addressOf('trainer'),
  evaluatorAddress: addressOf('evaluator'),
  weightLoaderAddress: addressOf('weight-loader'),
  /** How often inbox/ is listed for files that somebody dropped there; 0: never (another source sends labels.added). */
  inboxPollMs: setting('STRATA_ORCHESTRATOR_INBOX_POLL_MS', values.milliseconds, '1000'),
  /** The Deployment to put to sleep and to wake; empty: none. Not together with an autoscaler that goes to zero itself. */
  inferenceDeployment: setting('STRATA_ORCHESTRATOR_INFERENCE_DEPLOYMENT', values.text, ''),
  /** Unwanted for so long, inference sleeps; 0: it is only woken. */
  idleMinutes: setting('STRATA_ORCHESTRATOR_IDLE_MINUTES', values.milliseconds, '10'),
  /** Pipelines to apply at start, and whenever the file changes; empty: none. */
  pipelinesFile: setting('STRATA_ORCHESTRATOR_PIPELINES_FILE', values.text, ''),
  /** How often waiting batches and unfinished pipeline runs are looked at, beside the events. */
  tickMs: setting('STRATA_ORCHESTRATOR_TICK_MS', values.milliseconds, '1000'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type OrchestratorConfig = ReturnType<typeof loadConfig>;
