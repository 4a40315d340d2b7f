// The release: a namespace that admits only "restricted" pods, and the chart with its preset for kind.
import { apply, helm, type KubeObject, kubectl, list } from '../support/kubectl.ts';
import { release } from './places.ts';

interface Workload extends KubeObject {
  spec: { template: { spec: { containers: { image: string }[] } } };
}

/** `changed`: images that were loaded under the names they had before; what runs them is restarted. */
export async function installChart(changed: readonly string[]): Promise<string> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: release.namespace, labels } });
  const before = await list<Workload>('deployments');
  const values = [`--values=${release.values}`];
  await helm(['upgrade', '--install', release.name, release.chart, ...values, '--wait', '--timeout=6m']);
  const outdated = before.filter(({ spec }) =>
    spec.template.spec.containers.some(({ image }) => changed.includes(image)),
  );
  await restart(outdated.map(({ metadata }) => `deployment/${metadata.name}`));
  const [installed] = JSON.parse(await helm(['list', '--output=json'])) as { revision: string }[];
  return `revision ${installed?.revision}${outdated.length ? `, ${outdated.length} restarted` : ''}`;
}

async function restart(workloads: string[]): Promise<void> {
  if (!workloads.length) return;
  await kubectl(['rollout', 'restart', ...workloads]);
  for (const workload of workloads) await kubectl(['rollout', 'status', workload, '--timeout=180s']);
}
