// `helm upgrade` and `helm rollback` under streams: no stream is lost, and models, runs and datasets are all there after each.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { get, type KubeObject } from '../support/kubectl.ts';
import { revision, rollBackTo, upgrade } from '../support/release.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel } from '../support/slow-model.ts';
import { finishStreams, startStreams } from '../support/streams.ts';
import { untilAnswered } from '../support/wait-for.ts';

const services = useServices();

const look = async () => ({
  models: (await services.weightLoader.listModels({})).models.map(({ name, versions }) => [name, versions.length]),
  runs: (await services.trainer.listRuns({})).runs.map(({ id, phase }) => [id, phase]),
  datasets: (await services.dataSampler.listDatasets({})).datasets.map(({ ref, sha256 }) => [ref?.name, sha256]),
});

const kept = () => untilAnswered('the services', look);

interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}
const logLevel = async () => (await get<ConfigMap>('configmap', `${release.name}-config`))?.data.STRATA_LOG_LEVEL;

test('upgraded and rolled back, everything is kept and no stream is lost', async () => {
  await ensureSlowModel(services);
  const before = await kept();
  const number = await revision();
  await startStreams({ clients: 2 });
  await upgrade('logLevel=debug');
  expect(await logLevel()).toBe('debug');
  expect(await kept()).toEqual(before);
  await rollBackTo(number);
  const { finished, failed } = await finishStreams();
  expect(failed).toEqual([]);
  expect(finished).toBeGreaterThan(10);
  expect(await kept()).toEqual(before);
  expect(await logLevel()).toBe('info');
}, 600_000);
