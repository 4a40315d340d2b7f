// Environment -> the orchestrator's configuration.
import { ConfigError, type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('orchestrator'),
  dataSamplerAddress: addressOf('data-sampler'),
  trainerAddress: addressOf('trainer'),
  evaluatorAddress: addressOf('evaluator'),
  weightLoaderAddress: addressOf('weight-loader'),
  /** How often inbox/ is listed for files that somebody dropped there; 0: never (another source sends labels.added). */
  inboxPollMs: setting('STRATA_ORCHESTRATOR_INBOX_POLL_MS', values.milliseconds, (env) =>
    env.STRATA_ORCHESTRATOR_MINIO_SUBJECT ? '30000' : '1000',
  ),
  /** The NATS subject on which MinIO tells of new objects; empty: it does not. */
  minioSubject: setting('STRATA_ORCHESTRATOR_MINIO_SUBJECT', values.text, ''),
  /** What MinIO calls that subject: its target `STRATA` of MINIO_NOTIFY_NATS_…_STRATA. */
  minioArn: setting('STRATA_ORCHESTRATOR_MINIO_ARN', values.text, 'arn:minio:sqs::STRATA:nats'),
  /** The Deployment to put to sleep and to wake; empty: none. Not together with an autoscaler that goes to zero itself. */
  inferenceDeployment: setting('STRATA_ORCHESTRATOR_INFERENCE_DEPLOYMENT', values.text, ''),
  /** Unwanted for so long, inference sleeps; 0: it is only woken. */
  idleMinutes: setting('STRATA_ORCHESTRATOR_IDLE_MINUTES', values.milliseconds, '10'),
  /** Pipelines to apply at start, and whenever the file changes; empty: none. */
  pipelinesFile: setting('STRATA_ORCHESTRATOR_PIPELINES_FILE', values.text, ''),
  /** How often waiting batches and unfinished pipeline runs are looked at, beside the events. */
  tickMs: setting('STRATA_ORCHESTRATOR_TICK_MS', values.milliseconds, '1000'),
};

export function loadConfig(env: Environment = process.env) {
  const config = readConfig(settings, env);
  if (config.minioSubject && (config.broker !== 'nats' || config.objectStore !== 's3')) {
    throw new ConfigError(['STRATA_ORCHESTRATOR_MINIO_SUBJECT needs STRATA_BROKER=nats and STRATA_OBJECT_STORE=s3']);
  }
  return config;
}
export type OrchestratorConfig = ReturnType<typeof loadConfig>;
