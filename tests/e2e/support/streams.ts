// Clients that stream from inference, in a pod of the cluster, while a story does something to the cluster.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { services } from '#lib/contracts/services.ts';
import { release } from '../frame/places.ts';
import { clientLabels } from './client.ts';
import { kubectl } from './kubectl.ts';
import { finishPod, startPod } from './pods.ts';
import { slowModel } from './slow-model.ts';

export interface StreamCounts {
  finished: number;
  tokens: number;
  /** Refused, or ended before their last token: how. */
  failed: string[];
}

const name = 'streams';

/** Begins, and returns once the pod runs. A stream has to be shorter than the drain time of its pod, also on a busy machine. */
export async function startStreams({ clients = 3, tokens = 500 } = {}): Promise<void> {
  const source = readFileSync(join(__dirname, 'stream-load.ts'), 'utf8');
  const address = `dns:///${release.name}-inference:${services.inference.port}`;
  const args = [address, String(clients), slowModel, String(tokens)];
  const command = ['node', '--input-type=module-typescript', '-e', source, '--', ...args];
  await startPod({ name, command, labels: clientLabels });
  await kubectl(['wait', 'pod', name, '--for=condition=Ready', '--timeout=60s']);
}

/** Lets each client end its stream, and no more. */
export async function finishStreams(): Promise<StreamCounts> {
  await kubectl(['exec', name, '--', 'touch', '/tmp/stop']);
  const { output } = await finishPod(name, 180_000);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as StreamCounts;
}
