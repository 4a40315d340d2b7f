// `strata …` in a pod of the cluster: the command line's image, the services' addresses of the chart.

import { serviceNames, services } from '#lib/contracts/services.ts';
import { variableOf } from '#lib/platform/settings.ts';
import { release } from '../frame/places.ts';
import { runPod } from './pods.ts';

export const addressesInside = (): Record<string, string> =>
  Object.fromEntries(
    serviceNames.map((name) => [variableOf(name, 'ADDRESS'), `${release.name}-${name}:${services[name].port}`]),
  );

/** The label that the chart's network policies let in as a client of the services. */
export const clientLabels = { 'strata.dev/client': release.name };

let count = 0;

/** What the command printed on stdout and stderr. */
export const strata = (args: string[]): Promise<string> =>
  runPod({ name: `client-${process.pid}-${++count}`, args, labels: clientLabels, env: addressesInside() });
