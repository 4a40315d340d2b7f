// The stories in the order in which they run: cheap ones first, those that break things last.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ExecError, exec } from './exec.ts';
import { folder, root } from './places.ts';

export const stories = [
  'helm-test',
  'restricted',
  'job-runner',
  'deadline-and-cancel',
  'train-then-generate',
  'label-to-served',
  'kill-the-trainer',
  'rolling-restart',
  'load-balancing',
  'scale-from-zero',
  'upgrade-and-rollback',
  'kill-each',
  'backup-and-restore',
] as const;
export type Story = (typeof stories)[number];

/** These keep to namespaces of their own, and are told beside the others. */
const apart: readonly Story[] = ['job-runner'];
export const isApart = (story: Story): boolean => apart.includes(story);

export interface StoryResult {
  story: Story;
  passed: number;
  failed: number;
  /** What jest said, where something failed. */
  output: string;
}

/** STORY=a,b picks some; they keep their order. */
export function pickStories(wanted = ''): Story[] {
  const names = wanted.split(',').filter(Boolean);
  const unknown = names.filter((name) => !stories.some((story) => story === name));
  if (unknown.length) throw new Error(`no story "${unknown.join('", "')}": there are ${stories.join(', ')}`);
  return names.length ? stories.filter((story) => names.includes(story)) : [...stories];
}

export async function runStory(story: Story, env: Record<string, string>): Promise<StoryResult> {
  const report = join(folder, `report-${story}.json`);
  rmSync(report, { force: true });
  const args = ['--selectProjects', 'e2e', '--runInBand', '--verbose', '--json', `--outputFile=${report}`];
  let output = '';
  try {
    await exec(join(root, 'node_modules/.bin/jest'), [...args, '--', `tests/e2e/${story}/`], {
      cwd: root,
      env: { ...process.env, ...env },
      timeoutMs: 900_000,
    });
  } catch (error) {
    output = error instanceof ExecError ? error.stderr : String(error);
  }
  if (!existsSync(report)) return { story, passed: 0, failed: 1, output };
  const found = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
  const { numPassedTests = 0, numFailedTests = 0, numRuntimeErrorTestSuites = 0 } = found;
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  return { story, passed: numPassedTests, failed: failed || Number(output !== '' || numPassedTests === 0), output };
}
