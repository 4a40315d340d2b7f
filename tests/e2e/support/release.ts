// Changes of the release: upgrades that a story makes, and the way back to the revision that it found.
import { release } from '../frame/places.ts';
import { helm } from './kubectl.ts';

const waiting = ['--wait', '--timeout=4m'];

export const revision = async (): Promise<number> =>
  (JSON.parse(await helm(['status', release.name, '--output=json'])) as { version: number }).version;

/** `helm upgrade` with `path=value` on top of what the release has; returns when everything is ready. */
export const upgrade = (...values: string[]): Promise<string> =>
  helm(['upgrade', release.name, release.chart, '--reuse-values', `--set=${values.join(',')}`, ...waiting]);

export const rollBackTo = (number: number): Promise<string> =>
  helm(['rollback', release.name, `${number}`, ...waiting]);
