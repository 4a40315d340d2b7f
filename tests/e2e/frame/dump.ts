// What is kept of a failure: pods, events, jobs, the logs of every container (also of the one before), and what NATS has, in a folder of its own.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type KubeObject, kubectl, list } from '../support/kubectl.ts';
import { natsState } from '../support/nats-state.ts';
import { folder } from './places.ts';

interface PodObject extends KubeObject {
  spec: { containers: { name: string }[]; initContainers?: { name: string }[] };
}

const looks: Record<string, () => Promise<string>> = {
  'pods.txt': () => kubectl(['get', 'pods', '-A', '-o', 'wide']),
  'objects.txt': () => kubectl(['get', 'all,jobs,pvc,networkpolicies,endpointslices', '-o', 'wide']),
  'describe-pods.txt': () => kubectl(['describe', 'pods']),
  'jobs.yaml': () => kubectl(['get', 'jobs', '-o', 'yaml']),
  'events.txt': () => kubectl(['get', 'events', '-A', '--sort-by=.lastTimestamp']),
  'nodes.txt': () => kubectl(['describe', 'nodes']),
  'nats.json': natsState,
};

/** The folder. What cannot be looked at says so in its file; nothing here throws. */
export async function dump(name: string): Promise<string> {
  const to = join(folder, 'failures', name);
  await mkdir(join(to, 'logs'), { recursive: true });
  const write = async (file: string, look: () => Promise<string>) =>
    writeFile(join(to, file), await look().catch((error) => `could not be looked at: ${error}\n`));
  for (const [file, look] of Object.entries(looks)) await write(file, look);
  const pods = await list<PodObject>('pods').catch(() => []);
  for (const { pod, container } of pods.flatMap(containersOf)) {
    const args = ['logs', pod, `--container=${container}`, '--timestamps'];
    await write(join('logs', `${pod}.${container}.log`), () => kubectl(args));
    await write(join('logs', `${pod}.${container}.before.log`), () => kubectl([...args, '--previous']));
  }
  return to;
}

const containersOf = ({ metadata, spec }: PodObject) =>
  [...(spec.initContainers ?? []), ...spec.containers].map(({ name }) => ({ pod: metadata.name, container: name }));
