// `make e2e`: a kind cluster, the images, the chart, then the stories; ends with one line: `N passed, N failed`.
// STORY=a,b runs some. A cluster that this run made is deleted at its end, unless KEEP=1; one that was there stays.
// RELEASE=keep tells stories to what is installed, as it is. `node tests/e2e/run.ts down` deletes the cluster.
import { mkdirSync } from 'node:fs';
import { installChart } from './frame/chart.ts';
import { bringCluster, deleteCluster } from './frame/cluster.ts';
import { dump } from './frame/dump.ts';
import { forwardServices } from './frame/forwarded.ts';
import { bringImages } from './frame/images.ts';
import { cluster, folder } from './frame/places.ts';
import { type Row, timed, toTable } from './frame/report.ts';
import { isApart, pickStories, runStory, type Story, type StoryResult } from './frame/stories.ts';
import { findTools } from './frame/tools.ts';

const started = performance.now();
const rows: Row[] = [];
let madeHere = false;

async function prepare(): Promise<void> {
  await timed(rows, 'tools', findTools, (used) => used);
  madeHere = await timed(rows, 'cluster', bringCluster, (isNew) => (isNew ? 'made' : 'was there'));
  if (process.env.RELEASE === 'keep') return;
  const changed = await timed(rows, 'images', bringImages, ({ length }) => `${length} loaded`);
  await timed(
    rows,
    'chart',
    () => installChart(changed),
    (what) => what,
  );
}

async function tell(stories: readonly Story[]): Promise<StoryResult[]> {
  const forwarded = await forwardServices();
  const tellOne = async (story: Story): Promise<StoryResult> => {
    const result = await timed(rows, story, () => runStory(story, forwarded.env), summary);
    if (result.failed) console.log(`${result.output}\n  kept in ${await dump(story)}`);
    return result;
  };
  try {
    const beside = Promise.all(stories.filter(isApart).map(tellOne));
    const results: StoryResult[] = [];
    for (const story of stories.filter((each) => !isApart(each))) results.push(await tellOne(story));
    return [...results, ...(await beside)];
  } finally {
    await forwarded.close();
  }
}

const summary = ({ passed, failed }: StoryResult): string =>
  failed ? `${passed} passed, ${failed} FAILED` : `${passed} passed`;

async function finish(): Promise<void> {
  if (!madeHere) return;
  if (process.env.KEEP) console.log(`the cluster stays (${cluster.kubeconfig}); \`make e2e-down\` deletes it`);
  else await deleteCluster();
}

async function run(): Promise<{ passed: number; failed: number }> {
  const stories = pickStories(process.env.STORY);
  try {
    await prepare();
    const results = await tell(stories);
    const sum = (of: 'passed' | 'failed') => results.reduce((total, result) => total + result[of], 0);
    return { passed: sum('passed'), failed: sum('failed') };
  } catch (error) {
    console.error(`${error}\n  kept in ${await dump('frame').catch((problem) => `nowhere: ${problem}`)}`);
    return { passed: 0, failed: 1 };
  } finally {
    await finish();
  }
}

mkdirSync(folder, { recursive: true });
if (process.argv[2] === 'down') {
  await deleteCluster();
} else {
  const { passed, failed } = await run();
  console.log(`\n${toTable(rows, (performance.now() - started) / 1000)}\n\n${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
