// The kind cluster: made from deploy/kind.yaml unless it is there, its kubeconfig kept beside our other files, its GPU pretended.
import { mkdir } from 'node:fs/promises';
import { kubectl } from '../support/kubectl.ts';
import { exec } from './exec.ts';
import { cluster, folder, root } from './places.ts';

/** Whether it was made now. KIND_NODE_IMAGE is the one thing in which machines may differ. */
export async function bringCluster(): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  const isMissing = !(await exec('kind', ['get', 'clusters'])).split('\n').includes(cluster.name);
  if (isMissing) await createCluster();
  else await exec('kind', ['export', 'kubeconfig', ...named, `--kubeconfig=${cluster.kubeconfig}`]);
  await kubectl(['wait', 'node', '--all', '--for=condition=Ready', '--timeout=180s']);
  await pretendGpu();
  return isMissing;
}

const named = [`--name=${cluster.name}`];

async function createCluster(): Promise<void> {
  const image = process.env.KIND_NODE_IMAGE;
  const config = [`--config=${cluster.config}`, `--kubeconfig=${cluster.kubeconfig}`];
  // `--wait` is not asked for: the nodes are waited for below, and images can be built meanwhile.
  await exec('kind', ['create', 'cluster', ...named, ...config, ...(image ? ['--image', image] : [])], { cwd: root });
}

/** One nvidia.com/gpu in the worker's status: the scheduler counts it, nothing uses it. A kubelet that starts anew forgets it. */
async function pretendGpu(): Promise<void> {
  const patch = ['capacity', 'allocatable'].map((list) => ({
    op: 'add',
    path: `/status/${list}/nvidia.com~1gpu`,
    value: '1',
  }));
  const target = ['patch', 'node', cluster.gpuNode, '--subresource=status', '--type=json'];
  await kubectl([...target, '-p', JSON.stringify(patch)]);
}

export const deleteCluster = (): Promise<string> => exec('kind', ['delete', 'cluster', ...named]);
