// What docs/operating.md tells to do before and after a restore, and the disaster itself: volumes that are gone.
import { release } from '../frame/places.ts';
import { type KubeObject, kubectl, list } from './kubectl.ts';
import { waitFor } from './wait-for.ts';

const ours = `app.kubernetes.io/instance=${release.name}`;

interface Scalable extends KubeObject {
  spec: { replicas: number };
}

/** Stops every service but one, in which the restore runs, and every Job: how many replicas each had. */
export async function stopServices(but: string): Promise<Record<string, number>> {
  const stopped = (await list<Scalable>('deployments', `${ours},app.kubernetes.io/component!=${but}`)).map(
    ({ metadata, spec }): [string, number] => [metadata.name, spec.replicas],
  );
  const names = stopped.map(([name]) => `deployment/${name}`);
  await kubectl(['scale', ...names, '--replicas=0']);
  await untilGone(`app.kubernetes.io/component notin (${but},nats,minio,client,job)`);
  // Not before: a trainer that still runs would start again what it misses.
  await kubectl(['delete', 'jobs', '--selector', `${ours},app.kubernetes.io/component=job`, '--wait=true']);
  await untilGone('app.kubernetes.io/component=job');
  return Object.fromEntries(stopped);
}

const untilGone = (which: string) =>
  waitFor(
    `the end of the pods with ${which}`,
    async () => (await list('pods', `${ours},${which}`)).map(({ metadata }) => metadata.name),
    (names) => names.length === 0,
    { timeoutMs: 150_000, everyMs: 1000 },
  );

export async function startServices(replicas: Record<string, number>): Promise<void> {
  for (const [name, count] of Object.entries(replicas)) {
    await kubectl(['scale', `deployment/${name}`, `--replicas=${count}`]);
  }
  for (const name of Object.keys(replicas)) await kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=4m']);
}

/** NATS and MinIO come back with new, empty volumes. */
export async function loseVolumes(): Promise<void> {
  const sets = ['nats', 'minio'].map((name) => `${release.name}-${name}`);
  for (const set of sets) await kubectl(['scale', `statefulset/${set}`, '--replicas=0']);
  const claims = sets.map((set) => `data-${set}-0`);
  await kubectl(['delete', 'persistentvolumeclaim', ...claims, '--wait=true', '--timeout=120s']);
  for (const set of sets) await kubectl(['scale', `statefulset/${set}`, '--replicas=1']);
  for (const set of sets) await kubectl(['rollout', 'status', `statefulset/${set}`, '--timeout=3m']);
}

/** `strata backup …` in a pod of a service. */
export const backupIn = (service: string, args: string[], options: Parameters<typeof kubectl>[1] = {}) =>
  kubectl(
    ['exec', '-i', `deployment/${release.name}-${service}`, '--', 'node', 'services/cli/main.ts', 'backup', ...args],
    options,
  );
