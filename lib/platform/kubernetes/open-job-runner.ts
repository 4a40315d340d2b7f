// The job runner of a cluster. Nothing is loaded, read or asked before it is used: most processes that open a platform never start a job.
import type { Config } from '../config.ts';
import type { JobRunner } from '../job-runner.ts';
import type { Logger } from '../log.ts';
import { readJobFiles } from './job-files.ts';
import { createJobRunner } from './job-runner.ts';
import type { kubernetesSettings } from './settings.ts';

export type KubernetesConfig = Config<typeof kubernetesSettings>;

export async function openJobRunner(config: KubernetesConfig, { log }: { log?: Logger } = {}): Promise<JobRunner> {
  let opened: Promise<JobRunner> | undefined;
  const open = async (): Promise<JobRunner> => {
    const { openCluster } = await import('./cluster.ts');
    const cluster = openCluster();
    const { jobDefaultProfile: defaultProfile, kueueQueue: queue } = config;
    const namespace = config.namespace || cluster.namespace;
    return createJobRunner({ cluster, namespace, readFiles: () => readJobFiles(config), defaultProfile, queue, log });
  };
  const use = (): Promise<JobRunner> => (opened ??= open());
  return {
    start: async (spec) => (await use()).start(spec),
    get: async (name) => (await use()).get(name),
    list: async (namePrefix) => (await use()).list(namePrefix),
    cancel: async (name, options) => (await use()).cancel(name, options),
    async *logs(name, options) {
      yield* (await use()).logs(name, options);
    },
    delete: async (name) => (await use()).delete(name),
    close: async () => (await opened)?.close(),
  };
}
