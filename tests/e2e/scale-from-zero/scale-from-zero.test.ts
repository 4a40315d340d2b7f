// Nobody asks, and inference goes to sleep; somebody asks, the gateway holds the request until it is awake, and answers it.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { complete } from '../support/gateway.ts';
import { get, type KubeObject, list } from '../support/kubectl.ts';
import type { Pod } from '../support/pods.ts';
import { revision, rollBackTo, upgrade } from '../support/release.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';

const services = useServices();
const deployment = `${release.name}-inference`;

const replicas = async (): Promise<number> =>
  (await get<KubeObject & { spec: { replicas: number } }>('deployment', deployment))?.spec.replicas ?? -1;
const pods = () => list<Pod>('pods', 'app.kubernetes.io/component=inference');

let before = 0;
beforeAll(async () => {
  await ensureSlowModel(services);
  before = await revision();
  const idle = 'inference.autoscaling.idle';
  await upgrade(`${idle}.enabled=true`, `${idle}.afterMinutes=1`);
}, 300_000);
afterAll(() => rollBackTo(before), 300_000);

test('idle, it sleeps; the first request wakes it and is answered', async () => {
  await waitFor('a Deployment of no pods', replicas, (count) => count === 0, { timeoutMs: 150_000, everyMs: 1000 });
  await waitFor('no pod of inference', pods, (all) => all.length === 0);
  const [first, second] = await Promise.all(
    [1, 2].map(() => complete({ model: slowModel, prompt: 'A boat', tokens: 5 })),
  );
  expect([first?.status, second?.status]).toEqual([200, 200]);
  expect(first?.text.length).toBeGreaterThan(0);
  expect(await replicas()).toBe(1);
}, 400_000);
