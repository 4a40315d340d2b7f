// The namespace admits only pods that keep the "restricted" standard, and the network lets through only what a service needs.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { apply, get, list } from '../support/kubectl.ts';
import { type Pod, runPod } from '../support/pods.ts';

test('the namespace enforces "restricted", and everything of the chart runs in it', async () => {
  const namespace = await get('namespace', release.namespace);
  expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  const pods = await list<Pod>('pods', `app.kubernetes.io/instance=${release.name}`);
  expect(pods.length).toBeGreaterThanOrEqual(8);
});

test('a pod that asks for more is not admitted', async () => {
  const privileged = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'too-much' },
    spec: { containers: [{ name: 'main', image: 'nowhere', securityContext: { privileged: true } }] },
  };
  await expect(apply(privileged)).rejects.toThrow(/violates PodSecurity "restricted/);
});

/** The orchestrator where it lets inference sleep and wakes it. */
const mayHaveToken = ['trainer', 'evaluator', 'orchestrator'];

test('only the services that start Jobs have a token of the API server', async () => {
  const withToken = (await list<Pod & { spec: { volumes?: { projected?: object }[] } }>('pods'))
    .filter(({ spec }) => spec.volumes?.some(({ projected }) => projected))
    .map(({ metadata }) => metadata.labels?.['app.kubernetes.io/component']);
  expect(withToken).toEqual(expect.arrayContaining(['trainer', 'evaluator']));
  expect(withToken.filter((component) => !mayHaveToken.includes(component ?? ''))).toEqual([]);
});

/** Tries TCP connections: `name -> open` or why not. */
const probe = `
import { connect } from 'node:net';
const tries = process.argv.slice(1).map((target) => new Promise((resolve) => {
  const [host, port] = target.split(':');
  const socket = connect({ host, port: Number(port), timeout: 3000 });
  const end = (how) => { socket.destroy(); resolve([target, how]); };
  socket.once('connect', () => end('open')).once('timeout', () => end('shut')).once('error', (error) => end(error.code));
}));
console.log(JSON.stringify(Object.fromEntries(await Promise.all(tries))));`;

test('a stranger in the namespace reaches neither the broker nor the object store nor any service but the gateway', async () => {
  const inside = ['nats:4222', 'minio:9000', 'trainer:50053', 'orchestrator:50057', 'weight-loader:50055'];
  const targets = [...inside, 'gateway:8080'].map((target) => `${release.name}-${target}`);
  const said = await runPod({
    name: 'stranger',
    command: ['node', '--input-type=module', '-e', probe, ...targets],
  });
  const seen = JSON.parse(said) as Record<string, string>;
  expect(seen).toEqual(
    Object.fromEntries(targets.map((target) => [target, target.includes('gateway') ? 'open' : 'shut'])),
  );
}, 90_000);
