import { expect, test } from '@jest/globals';
import { createMetricRegistry } from './metrics.ts';

test('counters, gauges and histograms in the text format, with the service on every series', async () => {
  const registry = createMetricRegistry();
  const metrics = registry.forService('trainer');
  metrics.counter('a_total', { help: 'As.', labels: ['code'] }).add({ code: 'say "no"\n' }, 2);
  metrics.gauge('b', { help: 'Bs.' }).set({}, -1.5);
  const seconds = metrics.histogram('c_seconds', { help: 'Cs.', buckets: [0.1, 1] });
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe({}, value);
  registry.forProcess.gauge('d', { help: 'Ds.' }).set({}, Infinity);
  expect((await registry.render()).split('\n')).toEqual([
    '# HELP a_total As.',
    '# TYPE a_total counter',
    'a_total{service="trainer",code="say \\"no\\"\\n"} 2',
    '# HELP b Bs.',
    '# TYPE b gauge',
    'b{service="trainer"} -1.5',
    '# HELP c_seconds Cs.',
    '# TYPE c_seconds histogram',
    'c_seconds_bucket{service="trainer",le="0.1"} 2',
    'c_seconds_bucket{service="trainer",le="1"} 3',
    'c_seconds_bucket{service="trainer",le="+Inf"} 4',
    'c_seconds_sum{service="trainer"} 7.65',
    'c_seconds_count{service="trainer"} 4',
    '# HELP d Ds.',
    '# TYPE d gauge',
    'd +Inf',
    '',
  ]);
});

test('services of one process share a metric; each has its own series', async () => {
  const registry = createMetricRegistry();
  for (const name of ['tokenizer', 'trainer'])
    registry.forService(name).counter('calls_total', { help: 'Calls.' }).add({});
  expect((await registry.render()).match(/^calls_total.*$/gm)).toEqual([
    'calls_total{service="tokenizer"} 1',
    'calls_total{service="trainer"} 1',
  ]);
});

test('an observed metric tells what is there now, and nothing of what is gone', async () => {
  const registry = createMetricRegistry();
  let runs = ['a', 'b'];
  registry.forService('trainer').observed('loss', {
    help: 'Loss.',
    labels: ['run'],
    read: async () => runs.map((run) => [{ run }, 1] as const),
  });
  expect(await registry.render()).toContain('run="a"');
  runs = ['b'];
  expect((await registry.render()).match(/run="."/g)).toEqual(['run="b"']);
});

test('a metric that cannot be read takes no other one with it', async () => {
  const failures: unknown[] = [];
  const registry = createMetricRegistry((_, metric) => failures.push(metric));
  const read = async () => {
    throw new Error('the store is away');
  };
  registry.forService('trainer').observed('broken', { help: 'Broken.', read });
  registry.forService('trainer').gauge('whole', { help: 'Whole.' }).set({}, 1);
  expect(await registry.render()).toContain('whole{service="trainer"} 1');
  expect(failures).toEqual(['broken']);
});

test('a store that does not answer holds nothing up for long, and is not asked twice', async () => {
  const registry = createMetricRegistry();
  let asked = 0;
  const answer = Promise.withResolvers<[[object, number]]>();
  const read = async () => {
    asked += 1;
    return (await answer.promise) as never;
  };
  registry.forService('trainer').observed('slow', { help: 'Slow.', read });
  registry.forService('trainer').gauge('whole', { help: 'Whole.' }).set({}, 1);
  const [first, second] = await Promise.all([registry.render(), registry.render()]);
  expect([first, second].map((text) => text.includes('\nwhole{'))).toEqual([true, true]);
  expect(first).not.toContain('\nslow{');
  answer.resolve([[{}, 3]]);
  expect(await registry.render()).toContain('slow{service="trainer"} 3');
  expect(asked).toBe(1);
});

test('labels without end are cut off: what is new counts as other', async () => {
  const registry = createMetricRegistry();
  const counter = registry.forService('gateway').counter('paths_total', { help: 'Paths.', labels: ['path'] });
  for (let i = 0; i < 3000; i++) counter.add({ path: `/${i}` });
  const lines = (await registry.render()).match(/^paths_total.*$/gm) ?? [];
  expect(lines).toHaveLength(1001);
  expect(lines).toContain('paths_total{service="gateway",path="other"} 2000');
});
