// The API server has the last word: it says what it would do with every object, in a namespace that warns of pods that are not "restricted". Needs
// the kind cluster of `make e2e KEEP=1`; elsewhere the schema of chart.test.ts is all there is.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cluster } from '../e2e/frame/places.ts';
import { presets } from './presets.ts';
import { type KubeObject, render } from './render.ts';

const namespace = 'charts-check';

function kubectl(args: string[], input = ''): { ok: boolean; text: string } {
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--context=${cluster.context}`, `--namespace=${namespace}`];
  const { status, stdout, stderr } = spawnSync('kubectl', [...where, ...args], { input, encoding: 'utf8' });
  return { ok: status === 0, text: `${stdout ?? ''}${stderr ?? ''}` };
}

const isHere = kubectl(['get', '--raw', '/readyz']).ok;
const testOnCluster = isHere ? test : test.skip;
const suffix = isHere ? '' : ' (skipped: no kind cluster "strata" answers; `make e2e KEEP=1` leaves one)';

const toList = (items: unknown[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

/** Kinds the API server has; the others come with operators. */
const known = (served: string, { kind }: KubeObject): boolean => new RegExp(`\\b${kind}$`, 'm').test(served);

beforeAll(() => {
  if (!isHere) return;
  const labels = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  };
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
    // A pod is admitted only if its account is there; on a dry run nothing before it is.
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'strata', namespace } },
  ];
  expect(kubectl(['apply', '-f', '-'], toList(objects))).toMatchObject({
    ok: true,
  });
});

afterAll(() => {
  if (isHere) kubectl(['delete', 'namespace', namespace, '--wait=false']);
});

testOnCluster.each(Object.entries(presets))(
  `the API server accepts every object of: %s${suffix}`,
  async (_, preset) => {
    const served = kubectl(['api-resources', '--no-headers']).text;
    const objects = (await render({ ...preset, namespace })).filter((object) => known(served, object));
    expect(objects.length).toBeGreaterThan(40);
    const { ok, text } = kubectl(['apply', '--dry-run=server', '-f', '-'], toList(objects));
    expect({ ok, warnings: text.match(/^Warning:.*$/gm) ?? [], text: ok ? '' : text }).toEqual({
      ok: true,
      warnings: [],
      text: '',
    });
  },
);
