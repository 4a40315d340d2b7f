// `helm upgrade` and `helm rollback` under streams: no stream is lost, and models, runs and datasets are all there after each.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { helm, list } from '../support/kubectl.ts';
import type { Pod } from '../support/pods.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel } from '../support/slow-model.ts';
import { finishStreams, startStreams } from '../support/streams.ts';

const services = useServices();

const kept = async () => ({
  models: (await services.weightLoader.listModels({})).models.map(({ name, versions }) => [name, versions.length]),
  runs: (await services.trainer.listRuns({})).runs.map(({ id, phase }) => [id, phase]),
  datasets: (await services.dataSampler.listDatasets({})).datasets.map(({ ref, sha256 }) => [ref?.name, sha256]),
});

const levels = async (): Promise<string> =>
  JSON.stringify((await list<Pod>('pods', 'app.kubernetes.io/component=inference')).map(({ spec }) => spec.containers));

test('upgraded and rolled back, everything is kept and no stream is lost', async () => {
  await ensureSlowModel(services);
  const before = await kept();
  await startStreams({ seconds: 100, clients: 2 });
  await helm([
    'upgrade',
    release.name,
    release.chart,
    '--reuse-values',
    '--set=logLevel=debug',
    '--wait',
    '--timeout=4m',
  ]);
  expect(await kept()).toEqual(before);
  await helm(['rollback', release.name, '--wait', '--timeout=4m']);
  const { finished, failed } = await finishStreams();
  expect(failed).toEqual([]);
  expect(finished).toBeGreaterThan(10);
  expect(await kept()).toEqual(before);
  expect(await levels()).not.toContain('debug');
}, 600_000);
