// The job runner's contract suite on the cluster: a namespace a test, in which jobs are made from a template like the chart's.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Harness } from '#lib/platform/contract/harness.ts';
import { jobEntry } from '#lib/platform/contract/job-runner.ts';
import { createEmbeddedHarness } from '#lib/platform/embedded/harness.fixture.ts';
import type { JobRunner } from '#lib/platform/job-runner.ts';
import { type Cluster, openCluster } from '#lib/platform/kubernetes/cluster.ts';
import { type JobTemplate, parseProfiles, parseTemplate } from '#lib/platform/kubernetes/job-files.ts';
import { createJobRunner } from '#lib/platform/kubernetes/job-runner.ts';
import { cluster, root } from '../frame/places.ts';
import { apply, get, type KubeObject, kubectl } from '../support/kubectl.ts';

interface Deployment extends KubeObject {
  spec: { template: { spec: { containers: { image: string }[] } } };
}

/** Any image with Node: that of the release, or another one that the nodes have. */
const imageOf = async (): Promise<string> => {
  const trainer = await get<Deployment>('deployment', 'strata-trainer');
  const image = process.env.STRATA_E2E_JOB_IMAGE ?? trainer?.spec.template.spec.containers[0]?.image;
  if (!image) throw new Error('no image for jobs: install the release first, or name one in STRATA_E2E_JOB_IMAGE');
  return image;
};

const templateOf = (image: string): string =>
  JSON.stringify({
    spec: {
      template: {
        spec: {
          terminationGracePeriodSeconds: 20,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'job',
              image,
              imagePullPolicy: 'IfNotPresent',
              command: ['node'],
              workingDir: '/app',
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [{ name: 'program', mountPath: `/app/${jobEntry}`, subPath: 'job.fixture.ts' }],
            },
          ],
          volumes: [{ name: 'program', configMap: { name: 'program' } }],
        },
      },
    },
  });

const profiles = parseProfiles(
  JSON.stringify({
    cpu: { resources: { requests: { cpu: '10m' } } },
    impossible: { nodeSelector: { 'strata.dev/nowhere': 'true' } },
    imageless: { image: 'localhost/strata/is-not-there:1' },
  }),
  'profiles',
);

export interface JobsHarness extends Harness {
  readonly namespace: string;
  readonly cluster: Cluster;
  readonly template: JobTemplate;
}

/** One more runner over the harness's jobs. */
export const createRunner = (
  { cluster, namespace, template }: Pick<JobsHarness, 'cluster' | 'namespace' | 'template'>,
  { queue = '' } = {},
): JobRunner =>
  createJobRunner({
    cluster,
    namespace,
    readFiles: async () => ({ template, profiles }),
    defaultProfile: 'cpu',
    queue,
  });

export async function createClusterHarness(): Promise<JobsHarness> {
  const namespace = `strata-jobs-${randomBytes(4).toString('hex')}`;
  const program = readFileSync(join(root, jobEntry), 'utf8');
  const enforce = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: enforce } });
  await apply(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'program' }, data: { 'job.fixture.ts': program } },
    ['-n', namespace],
  );
  const embedded = await createEmbeddedHarness();
  const shared = {
    namespace,
    cluster: openCluster({ kubeconfig: cluster.kubeconfig }),
    template: parseTemplate(templateOf(await imageOf()), 'template'),
  };
  return {
    ...embedded,
    ...shared,
    async open() {
      const platform = await embedded.open();
      const jobs = createRunner(shared);
      const close = async (): Promise<void> => {
        await jobs.close();
        await platform.close();
      };
      return { ...platform, jobs, close };
    },
    async dispose() {
      await kubectl(['delete', 'namespace', namespace, '--wait=false']);
      await embedded.dispose();
    },
  };
}
