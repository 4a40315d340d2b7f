import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { services } from '#lib/contracts/services.ts';
import { parseProfiles, parseTemplate } from '#lib/platform/kubernetes/job-files.ts';
import { schemaText } from '../../deploy/values-schema.ts';
import { checkFields, modelOf } from './check-fields.ts';
import { knownVariables } from './known-variables.ts';
import { presets } from './presets.ts';
import { type Container, chart, helm, type KubeObject, type PodSpec, podsOf, render, root, toArgs } from './render.ts';

/** Kinds that come with others' operators: nobody's schema of them is here. */
const custom = ['ServiceMonitor', 'PrometheusRule', 'ScaledObject', 'Certificate', 'Issuer', 'HTTPRoute'];

/** Of the C library, which no setting of ours names. */
const heap = Object.fromEntries(
  [...readFileSync(join(root, 'deploy/heap.sh'), 'utf8').matchAll(/(MALLOC_\w+)="\$\{\w+:-(\d+)\}"/g)].map(
    ([, name, value]) => [name, value],
  ),
);

const open = { 'gateway.auth.open': true };
const failure = (set: Record<string, string | number | boolean>, files: string[] = []): Promise<string> =>
  render({ files, set }).then(
    () => 'rendered',
    (error) => String(error.stderr ?? error),
  );

test('values.schema.json is what values.yaml says', () => {
  expect(readFileSync(join(chart, 'values.schema.json'), 'utf8')).toBe(schemaText());
});

test('a name that does not exist, a wrong type and a wrong word are refused', async () => {
  expect(await failure({ ...open, 'inference.modles[0]': 'gpt2' })).toContain('modles');
  expect(await failure({ ...open, 'tokenizer.replicas': 'many' })).toContain('replicas');
  expect(await failure({ ...open, logLevel: 'loud' })).toContain('logLevel');
});

test('what contradicts itself is refused, with the way out', async () => {
  expect(await failure({})).toContain('gateway.auth');
  const keda = {
    'inference.autoscaling.keda.enabled': true,
    'inference.autoscaling.keda.prometheusAddress': 'http://p',
  };
  expect(await failure({ ...open, ...keda, 'inference.autoscaling.hpa.enabled': true })).toContain('keda excludes hpa');
  expect(await failure({ ...open, ...keda, 'inference.autoscaling.idle.enabled': true })).toContain('keda excludes');
  expect(await failure({ ...open, 'nats.enabled': false })).toContain('nats.url');
  expect(await failure({ ...open, 'minio.enabled': false })).toContain('objectStore.endpoint');
  expect(await failure({ ...open, 'jobs.defaultProfile': 'tpu' })).toContain('resourceProfiles has no "tpu"');
  expect(await failure({ ...open, 'inference.profile': 'tpu' })).toContain('resourceProfiles has no "tpu"');
});

interface Policy {
  ingress: { from: { podSelector?: { matchLabels: Record<string, string> } }[] }[];
}

interface Row {
  key: string;
  port: number;
  fullName?: string;
  image: string;
  calls: string[];
}

test('the table of services says what the code says', () => {
  const table = parse(readFileSync(join(chart, 'files/services.yaml'), 'utf8')) as Record<string, Row>;
  expect(Object.keys(table).sort()).toEqual(Object.keys(services).sort());
  for (const [name, { port, fullName }] of Object.entries(services)) {
    expect(table[name]).toMatchObject(name === 'gateway' ? { port } : { port, fullName });
    const addresses = [...knownVariables(name)].flatMap(
      (variable) => /^STRATA_(.*)_ADDRESS$/.exec(variable)?.[1] ?? [],
    );
    const called = addresses.map((address) => address.toLowerCase().replaceAll('_', '-'));
    expect([name, table[name]?.calls.toSorted()]).toEqual([name, called.toSorted()]);
  }
});

describe.each(Object.entries(presets))('%s', (_, preset) => {
  let objects: KubeObject[];
  let pods: { of: string; spec: PodSpec; isJob: boolean }[];
  let config: Record<string, string>;

  const find = (kind: string, name: string): KubeObject | undefined =>
    objects.find((object) => object.kind === kind && object.metadata.name === name);
  const dataOf = (name: string) => find('ConfigMap', name)?.data as Record<string, string>;
  const eachContainer = (): { of: string; container: Container; spec: PodSpec; isJob: boolean }[] =>
    pods.flatMap(({ spec, ...rest }) => spec.containers.map((container) => ({ ...rest, spec, container })));

  beforeAll(async () => {
    objects = await render(preset);
    config = dataOf('strata-config');
    const job = parse(dataOf('strata-jobs')['template.yaml'] ?? '') as KubeObject;
    pods = [
      ...objects.flatMap((object) =>
        podsOf(object).map((spec) => ({ of: object.metadata.name, spec, isJob: object.kind === 'Pod' })),
      ),
      ...podsOf(job).map((spec) => ({ of: 'job', spec, isJob: true })),
    ];
  });

  test('lints', async () => {
    expect(await helm('lint', '--strict', chart, ...toArgs(preset))).toContain('0 chart(s) failed');
  });

  test('every object has only fields of Kubernetes, of their types', () => {
    const job = parse(dataOf('strata-jobs')['template.yaml'] ?? '') as KubeObject;
    for (const object of [...objects, job]) {
      const model = modelOf(object.apiVersion, object.kind);
      if (model === undefined) expect(custom).toContain(object.kind);
      else expect(checkFields(object, model, `${object.kind} ${object.metadata.name}`)).toEqual([]);
    }
  });

  test('no two objects have one name', () => {
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('every pod is "restricted", its root is read-only, its memory is limited, its probes are there', () => {
    expect(pods.length).toBeGreaterThanOrEqual(10);
    for (const { of, container, spec, isJob } of eachContainer()) {
      expect([of, spec.securityContext]).toEqual([
        of,
        expect.objectContaining({ runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }),
      ]);
      expect([of, container.securityContext]).toEqual([
        of,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      ]);
      expect([of, container.resources?.limits]).toEqual([of, expect.objectContaining({ memory: expect.anything() })]);
      expect([of, spec.enableServiceLinks]).toEqual([of, false]);
      const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
      if (!isJob) expect([of, probes]).toEqual([of, probes.map(() => expect.anything())]);
    }
  });

  test('a token is mounted only where Jobs are created or Deployments scaled', () => {
    const scales = preset.set?.['inference.autoscaling.idle.enabled'] === true;
    const withToken = pods.filter(({ spec }) => spec.automountServiceAccountToken !== false).map(({ of }) => of);
    const expected = ['strata-evaluator', 'strata-trainer', ...(scales ? ['strata-orchestrator'] : [])];
    expect(withToken.sort()).toEqual(expected.sort());
  });

  test('every variable is a setting of the program that gets it', () => {
    const shared = new Set(Object.keys(services).flatMap((name) => [...knownVariables(name)]));
    for (const variable of Object.keys(config)) expect(shared).toContain(variable);
    for (const { container } of eachContainer()) {
      const known = knownVariables(container.name);
      if (!known.size) continue;
      const names = (container.env ?? []).map(({ name }) => name);
      const others = names.filter((name) => !known.has(name) && !(name in heap));
      expect([container.name, others]).toEqual([container.name, []]);
    }
  });

  test('services have the heap that ./strata gives them, jobs their own', () => {
    for (const { of, container } of eachContainer()) {
      const found = (container.env ?? []).flatMap(({ name, value }) => (name in heap ? [[name, value]] : []));
      expect([of, Object.fromEntries(found)]).toEqual([of, container.name in services ? heap : {}]);
    }
  });

  test('every file and folder that a setting names is mounted, and every mount has its volume', () => {
    for (const { of, container, spec } of eachContainer()) {
      const variables = [
        ...(container.env ?? []).map(({ name, value }) => [name, value ?? ''] as const),
        ...(container.envFrom ? Object.entries(config) : []),
      ];
      const mounts = container.volumeMounts ?? [];
      const files = variables.filter(([name]) => name.startsWith('STRATA_') && name.endsWith('_FILE'));
      for (const [name, path] of files) {
        expect([of, name, mounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`))]).toEqual([of, name, true]);
      }
      const volumes = [...(spec.volumes ?? []).map(({ name }) => name), 'data'];
      for (const { name } of mounts) expect(volumes).toContain(name);
    }
  });

  test('its calls may go on while it drains: the pod’s grace is longer', () => {
    for (const { of, container, spec } of eachContainer()) {
      const drainMs = container.env?.find(({ name }) => name === 'STRATA_DRAIN_MS')?.value;
      if (drainMs)
        expect([of, (spec.terminationGracePeriodSeconds ?? 0) * 1000 - Number(drainMs) >= 10_000]).toEqual([of, true]);
    }
  });

  test('every service is reached where its Service is, and its policy lets exactly its callers in', () => {
    for (const [name, { port }] of Object.entries(services)) {
      expect(find('Service', `strata-${name}`)?.spec).toMatchObject({
        ports: expect.arrayContaining([expect.objectContaining({ port })]),
      });
      if (name === 'gateway') continue;
      const address = config[`STRATA_${name.toUpperCase().replaceAll('-', '_')}_ADDRESS`];
      expect(address).toBe(`strata-${name}.somewhere.svc.cluster.local:${port}`);
      const callers = Object.keys(services).filter((caller) =>
        knownVariables(caller).has(`STRATA_${name.toUpperCase().replaceAll('-', '_')}_ADDRESS`),
      );
      const ingress = (find('NetworkPolicy', `strata-${name}`)?.spec as Policy | undefined)?.ingress ?? [];
      const allowed =
        ingress[0]?.from.map(
          ({ podSelector }) => podSelector?.matchLabels['app.kubernetes.io/component'] ?? 'client',
        ) ?? [];
      const jobs = ['data-sampler', 'weight-loader'].includes(name) ? ['job'] : [];
      expect([name, allowed.toSorted()]).toEqual([name, ['client', ...jobs, ...callers].toSorted()]);
    }
  });

  test('under TLS each certificate has the names that clients ask for', () => {
    if (!objects.some(({ kind }) => kind === 'Certificate')) return;
    for (const name of [...Object.keys(services), 'nats', 'minio']) {
      const names = [`strata-${name}.somewhere.svc.cluster.local`];
      expect(find('Certificate', `strata-${name}`)?.spec).toMatchObject({ dnsNames: expect.arrayContaining(names) });
    }
  });

  test('the files for Jobs are what the job runner reads', () => {
    const { 'template.yaml': job = '', 'profiles.yaml': profiles = '' } = dataOf('strata-jobs');
    expect(parseTemplate(job, 'template.yaml').spec.template.spec.containers[0]?.image).toMatch(/strata\/engine:/);
    expect(Object.keys(parseProfiles(profiles, 'profiles.yaml'))).toContain('cpu');
  });
});

test('an upgrade keeps what the release has: volumes, generated passwords, the number of scaled pods', async () => {
  const objects = await render({ set: { ...open, 'inference.autoscaling.idle.enabled': true } });
  const keep = { 'helm.sh/resource-policy': 'keep' };
  for (const { metadata } of objects.filter(({ kind }) => kind === 'Secret'))
    expect(metadata).toMatchObject({ annotations: keep });
  for (const { spec } of objects.filter(({ kind }) => kind === 'StatefulSet')) {
    expect(spec).toMatchObject({
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    });
  }
  const inference = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'strata-inference');
  expect(inference?.spec).not.toHaveProperty('replicas');
});

test('NOTES names the release, its namespace and commands that are there', async () => {
  const notes = readFileSync(join(chart, 'templates/NOTES.txt'), 'utf8');
  expect(notes).toContain('helm test');
  expect(readFileSync(join(root, 'services/cli/commands/model.ts'), 'utf8')).toContain(".command('list')");
});
