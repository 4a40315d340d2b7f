import { expect, test } from '@jest/globals';
import type { JobSpec } from '../job-runner.ts';
import { parseProfiles, parseTemplate } from './job-files.ts';
import { toManifest } from './job-manifest.ts';

const template = parseTemplate(
  `
metadata: { labels: { app.kubernetes.io/instance: mine } }
spec:
  ttlSecondsAfterFinished: 600
  template:
    metadata: { labels: { app.kubernetes.io/component: job } }
    spec:
      terminationGracePeriodSeconds: 120
      nodeSelector: { kubernetes.io/os: linux }
      containers:
        - name: job
          image: strata:1
          command: [node]
          env: [{ name: KEPT, value: yes it is }, { name: STRATA_RUN_ID, value: template }]
          resources: { requests: { cpu: 100m, ephemeral-storage: 1Gi } }
        - { name: sidecar, image: other }
`,
  'template.yaml',
);
const profiles = parseProfiles(
  `
cpu: { resources: { requests: { cpu: 2 }, limits: { memory: 4Gi } } }
gpu:
  device: cuda
  image: strata-cuda:1
  resources: { limits: { nvidia.com/mig-1g.10gb: 1 } }
  nodeSelector: { pool: gpu }
  tolerations: [{ key: nvidia.com/gpu, operator: Exists, effect: NoSchedule }]
  runtimeClassName: nvidia
`,
  'profiles.yaml',
);
const options = { template, profiles, defaultProfile: 'cpu', queue: '', now: new Date('2026-01-01T00:00:00.123Z') };
const spec: JobSpec = {
  name: 'run-1-1',
  entry: 'services/trainer/worker/main.ts',
  args: ['--fast'],
  env: { STRATA_RUN_ID: '1', TRACEPARENT: '00-ab-cd-01' },
  labels: { run: '1' },
};
const containerOf = (profile?: string) =>
  toManifest({ ...spec, ...(profile && { profile }) }, options).spec.template.spec.containers[0];

test('the template becomes this job: name, program, environment, labels on Job and pod', () => {
  const job = toManifest(spec, options);
  const labels = {
    'app.kubernetes.io/managed-by': 'strata',
    'strata.dev/job': 'run-1-1',
    'strata.dev/run': '1',
    'strata.dev/profile': 'cpu',
  };
  expect(job).toMatchObject({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'run-1-1',
      labels: { ...labels, 'app.kubernetes.io/instance': 'mine' },
      annotations: {
        'strata.dev/created-at': '2026-01-01T00:00:00.123Z',
        'strata.dev/entry': 'services/trainer/worker/main.ts --fast',
      },
    },
    spec: { template: { metadata: { labels: { ...labels, 'app.kubernetes.io/component': 'job' } } } },
  });
  expect(job.metadata.labels).not.toHaveProperty('kueue.x-k8s.io/queue-name');
  const [container, sidecar] = job.spec.template.spec.containers;
  expect(container).toMatchObject({ image: 'strata:1', command: ['node'], args: [spec.entry, '--fast'] });
  expect(container.env).toEqual([
    { name: 'KEPT', value: 'yes it is' },
    { name: 'STRATA_DEVICE', value: 'cpu' },
    { name: 'STRATA_RUN_ID', value: '1' },
    { name: 'TRACEPARENT', value: '00-ab-cd-01' },
  ]);
  expect(sidecar).toEqual({ name: 'sidecar', image: 'other' });
});

test('one pod, once, and the Job remembers how it ended; grace and lifetime are the template’s', () => {
  const { spec: job } = toManifest(spec, options);
  expect(job).toMatchObject({ backoffLimit: 0, podReplacementPolicy: 'Failed', ttlSecondsAfterFinished: 600 });
  expect(job).not.toHaveProperty('suspend');
  expect(job.template.spec).toMatchObject({ restartPolicy: 'Never', terminationGracePeriodSeconds: 120 });
  const { rules } = job.podFailurePolicy as { rules: Record<string, object>[] };
  expect(rules.map(({ action, onExitCodes }) => [action, onExitCodes])).toEqual([
    ['FailJob', undefined],
    ['FailJob', { containerName: 'job', operator: 'NotIn', values: [0] }],
  ]);
});

test("a profile's resources count instead of the template's; node selector and tolerations are added to them", () => {
  expect(containerOf().resources).toEqual({ requests: { cpu: 2 }, limits: { memory: '4Gi' } });
  const { spec: pod } = toManifest({ ...spec, profile: 'gpu' }, options).spec.template;
  expect(pod).toMatchObject({
    nodeSelector: { 'kubernetes.io/os': 'linux', pool: 'gpu' },
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
    runtimeClassName: 'nvidia',
  });
  expect(pod.containers[0]).toMatchObject({
    image: 'strata-cuda:1',
    resources: { limits: { 'nvidia.com/mig-1g.10gb': 1 } },
  });
});

test('a device’s word stands for the first profile of that device; other names have to be there', () => {
  const deviceOf = (profile: string) => containerOf(profile).env?.find(({ name }) => name === 'STRATA_DEVICE')?.value;
  expect(['cuda', 'gpu', 'cpu', ''].map(deviceOf)).toEqual(['cuda', 'cuda', 'cpu', 'cpu']);
  const wrong = expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    message: 'profile: there is no resource profile "tpu"; there are: cpu, gpu',
  });
  expect(() => containerOf('tpu')).toThrow(wrong);
  expect(() => toManifest(spec, { ...options, profiles: {} })).toThrow('there are: none at all');
});

test('with a queue the job starts suspended, for Kueue to admit', () => {
  const job = toManifest(spec, { ...options, queue: 'team' });
  expect(job.spec.suspend).toBe(true);
  expect(job.metadata.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'team' });
});

test.each([
  ['spec: {}', 'template.yaml: spec.template: '],
  ['spec: { template: { spec: { containers: [] } } }', 'template.yaml: spec.template.spec.containers: '],
  ['a: [', 'template.yaml is neither YAML nor JSON'],
])('a template `%s` is refused: %s', (text, message) => {
  expect(() => parseTemplate(text, 'template.yaml')).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION' }));
  expect(() => parseTemplate(text, 'template.yaml')).toThrow(message);
});

test('a profile with a word nobody knows is refused by name', () => {
  expect(() => parseProfiles('gpu: { nodeselector: {}, device: tpu }', 'profiles.yaml')).toThrow(
    /profiles\.yaml: gpu\.device: .*; gpu: .*"nodeselector"/,
  );
});
