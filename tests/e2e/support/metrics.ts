// A pod's metrics, through the API server.
import { release } from '../frame/places.ts';
import { kubectl } from './kubectl.ts';

export const metricsOf = (pod: string): Promise<string> =>
  kubectl(['get', '--raw', `/api/v1/namespaces/${release.namespace}/pods/${pod}:9464/proxy/metrics`]);

/** How many calls of a method the pod has served. */
export async function callsServed(pod: string, method: string): Promise<number> {
  const lines = (await metricsOf(pod)).split('\n');
  const counts = lines.filter((line) => /^strata_grpc_\w*total\{/.test(line) && line.includes(`/${method}"`));
  return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
