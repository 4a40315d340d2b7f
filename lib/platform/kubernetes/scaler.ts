// How many pods a Deployment has, changed through its scale subresource: the permission to do so is one to do nothing else.
import type { Scaler } from '../scaler.ts';
import type { Cluster } from './cluster.ts';

interface Deployment {
  spec: { replicas: number };
  status?: { readyReplicas?: number };
}

export interface ScalerOptions {
  deployment: string;
  /** Empty: the namespace of this pod. */
  namespace: string;
}

/** Loads the cluster's client when it is first used. */
export function createScaler({ deployment, namespace }: ScalerOptions): Scaler {
  let opened: Promise<Cluster> | undefined;
  const open = async (): Promise<Cluster> => {
    const { openCluster } = await import('./cluster.ts');
    return openCluster();
  };
  const use = async () => {
    opened ??= open();
    const cluster = await opened;
    const folder = `/apis/apps/v1/namespaces/${namespace || cluster.namespace}/deployments`;
    return { cluster, path: `${folder}/${deployment}` };
  };
  return {
    async get() {
      const { cluster, path } = await use();
      const { spec, status } = await cluster.call<Deployment>({ path });
      return { replicas: spec.replicas, ready: status?.readyReplicas ?? 0 };
    },
    async scale(replicas) {
      const { cluster, path } = await use();
      await cluster.call({ method: 'PATCH', path: `${path}/scale`, body: { spec: { replicas } } });
    },
  };
}
