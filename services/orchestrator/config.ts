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
  /** How often waiting batches and unfinished pipeline runs are looked at, beside the events. */
  tickMs: setting('STRATA_ORCHESTRATOR_TICK_MS', values.milliseconds, '1000'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type OrchestratorConfig = ReturnType<typeof loadConfig>;
