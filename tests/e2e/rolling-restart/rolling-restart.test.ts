// Inference is restarted pod by pod while clients stream: no stream that could be kept is lost, and none is refused.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { kubectl, list } from '../support/kubectl.ts';
import type { Pod } from '../support/pods.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel } from '../support/slow-model.ts';
import { finishStreams, startStreams } from '../support/streams.ts';
import { waitFor } from '../support/wait-for.ts';

const services = useServices();

const podNames = async (): Promise<string[]> =>
  (await list<Pod>('pods', 'app.kubernetes.io/component=inference')).map(({ metadata }) => metadata.name);

test('a rolling restart under streams: every stream ends with its last token', async () => {
  await ensureSlowModel(services);
  const before = await podNames();
  await startStreams({ clients: 3 });
  await kubectl(['rollout', 'restart', `deploy/${release.name}-inference`]);
  await kubectl(['rollout', 'status', `deploy/${release.name}-inference`, '--timeout=120s']);
  const areGone = (names: string[]) => !names.some((name) => before.includes(name));
  await waitFor('the end of the pods before', podNames, areGone, { timeoutMs: 120_000, everyMs: 2000 });
  const { finished, failed } = await finishStreams();
  expect(failed).toEqual([]);
  expect(finished).toBeGreaterThan(10);
}, 240_000);
