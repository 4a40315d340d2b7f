// Inference is restarted pod by pod while clients stream: no stream that could be kept is lost, and none is refused.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { kubectl, list } from '../support/kubectl.ts';
import type { Pod } from '../support/pods.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel } from '../support/slow-model.ts';
import { finishStreams, startStreams } from '../support/streams.ts';

const services = useServices();

const podNames = async (): Promise<string[]> =>
  (await list<Pod>('pods', 'app.kubernetes.io/component=inference')).map(({ metadata }) => metadata.name);

test('a rolling restart under streams: every stream ends with its last token', async () => {
  await ensureSlowModel(services);
  const before = await podNames();
  await startStreams({ seconds: 45, clients: 3 });
  await kubectl(['rollout', 'restart', `deploy/${release.name}-inference`]);
  await kubectl(['rollout', 'status', `deploy/${release.name}-inference`, '--timeout=120s']);
  const { finished, failed } = await finishStreams();
  expect(failed).toEqual([]);
  expect(finished).toBeGreaterThan(10);
  expect((await podNames()).filter((name) => before.includes(name))).toEqual([]);
}, 240_000);
