import { expect, test } from '@jest/globals';
import { serviceNames } from '../../lib/contracts/services.ts';
import { listFiles, readSource, readSources } from './read-sources.ts';
import { findHiddenInputs, findMissingFiles, findWrongArrows, findWrongNames } from './rules.ts';

const files = listFiles();
const sources = readSources();

test('arrows between rooms point down only, as in the picture', () => {
  expect(sources.length).toBeGreaterThan(100);
  expect(sources.flatMap(findWrongArrows)).toEqual([]);
});

test('only config.ts files read the environment; the maths reads no clock, chance or console', () => {
  expect(sources.flatMap(findHiddenInputs)).toEqual([]);
});

test('no enums, namespaces, default exports or barrels', () => {
  // Tools that ask for a default export.
  const exempt = ['jest.config.ts'];
  const found = sources.filter(({ path }) => !exempt.includes(path));
  expect(found.flatMap(({ path, unwanted }) => unwanted.map((what) => `${path}: ${what}`))).toEqual([]);
});

test('the Kubernetes client, large and ESM only, is loaded by one file of the platform and by tools', () => {
  const loading = sources.filter(
    ({ path, imports }) => imports.includes('@kubernetes/client-node') && !path.startsWith('tests/'),
  );
  expect(loading.map(({ path }) => path)).toEqual(['lib/platform/kubernetes/cluster.ts']);
});

test('file names are kebab-case', () => {
  expect(files.flatMap(findWrongNames)).toEqual([]);
});

test('every service room has its files, and every service its room', () => {
  expect(findMissingFiles(files)).toEqual([]);
  for (const name of serviceNames) expect(files).toContain(`services/${name}/main.ts`);
});

test.each([
  ['lib/model/gpt.ts', "import { log } from '#lib/platform/log.ts'", /lib\/model may import lib\/tensor/],
  ['lib/tensor/op.ts', "import type { Config } from '../model/config.ts'", /may import nothing but itself/],
  ['lib/text/bpe.ts', "import { pino } from 'pino'", /lib\/text is pure/],
  ['lib/platform/log.ts', "import { mean } from '#lib/data/mean.ts'", /lib\/platform may import lib\/contracts/],
  ['services/trainer/run.ts', "import { x } from '../evaluator/x.ts'", /never imports another one/],
  ['services/trainer/run.ts', "const run = () => import('../evaluator/x.ts')", /never imports another one/],
  ['services/trainer/run.ts', "new Worker(new URL('../evaluator/x.ts', import.meta.url))", /never imports another one/],
  ['services/trainer/run.ts', "import { x } from '../../deploy/x.ts'", /services may import lib/],
  ['lib/platform/x.ts', "import { x } from '#lib/../services/cli/x.ts'", /may import lib\/contracts/],
])('%s with `%s` is an arrow that does not exist', (path, code, message) => {
  expect(findWrongArrows(readSource(path, code)).join('\n')).toMatch(message);
});

test.each([
  ['services/cli/up.ts', "import('../trainer/main.ts')"],
  ['services/trainer/main.ts', "import { step } from '#lib/model/trainer.ts'; import { x } from './x.ts'"],
  [
    'lib/data/shard.test.ts',
    "import { bpe } from '#lib/text/bpe.ts'; import { execFileSync } from 'node:child_process'",
  ],
])('%s with `%s` is allowed', (path, code) => {
  expect(findWrongArrows(readSource(path, code))).toEqual([]);
});

test('hidden inputs and unwanted syntax are found wherever they stand', () => {
  const code = 'export default () => { f({ a: [process.env.X ?? Date.now()] }); enum A { B } }';
  const source = readSource('lib/data/x.ts', code);
  expect(findHiddenInputs(source)).toHaveLength(2);
  expect(source.unwanted).toEqual(['`export default`', '`enum`']);
  expect(findHiddenInputs(readSource('services/x/config.ts', 'process.env'))).toEqual([]);
});

test('names and missing files are found', () => {
  expect(['lib/a/fooBar.ts', 'lib/a/Foo.ts', 'lib/a/foo_bar.ts'].flatMap(findWrongNames)).toHaveLength(3);
  expect(findMissingFiles(['services/x/main.ts', 'services/x/config.ts'])).toEqual([
    'services/x/README.md is missing (docs/adding-a-service.md)',
    'services/x/service.ts is missing (docs/adding-a-service.md)',
  ]);
});
