// Names and places that the frame and the stories share. Everything that a run leaves lies in .cache/e2e of the checkout.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../../..');
export const folder = join(root, '.cache/e2e');

/** Of the images. */
export const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

export const cluster = {
  name: 'strata',
  context: 'kind-strata',
  config: join(root, 'deploy/kind.yaml'),
  /** Its own: the user's ~/.kube/config is neither read nor written. */
  kubeconfig: join(folder, 'kubeconfig'),
  controlPlane: 'strata-control-plane',
  /** The node that has the pretended GPU. */
  gpuNode: 'strata-worker',
};

export const release = {
  name: 'strata',
  namespace: 'strata',
  chart: join(root, 'charts/strata'),
  values: join(root, 'charts/strata/values-kind.yaml'),
};
