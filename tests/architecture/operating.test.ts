// The operator's guide keeps up: every alert leads to a section of its own there, every link to a place that exists, every value to one of the chart.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const root = join(__dirname, '../..');
const guide = readFileSync(join(root, 'docs/operating.md'), 'utf8');

interface Rule {
  alert: string;
  annotations: { runbook: string };
}
const rules = globSync('charts/strata/alerts/*.yaml', { cwd: root }).flatMap((path) =>
  (parse(readFileSync(join(root, path), 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  ),
);

/** As GitHub makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
const prose = guide.replace(/^```.*?^```/gms, '');
const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text);
const anchors = headings.map(anchorOf);

test('every alert has a section, and its runbook leads there', () => {
  expect(rules.length).toBeGreaterThan(10);
  expect(rules.map(({ annotations }) => annotations.runbook)).toEqual(
    rules.map(({ alert }) => `docs/operating.md#${alert.toLowerCase()}`),
  );
  const alerts = [...prose.matchAll(/^### (Strata\w+)$/gm)].map(([, name]) => name);
  expect(alerts.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
});

test('no two sections have one anchor, and every link leads somewhere', () => {
  expect(new Set(anchors).size).toBe(anchors.length);
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const dead = links.filter((target) =>
    target.startsWith('#')
      ? !anchors.includes(target.slice(1))
      : !/^https?:/.test(target) && !existsSync(join(root, 'docs', target.replace(/#.*/, ''))),
  );
  expect(dead).toEqual([]);
});

test('every story, alert and value that it names exists', () => {
  const named = [...prose.matchAll(/stor(?:y|ies) `([a-z-]+)`/g)].map(([, story = '']) => story);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((story) => !stories.includes(story))).toEqual([]);
  const alertsNamed = [...prose.matchAll(/\bStrata[A-Z]\w+/g)].map(([name]) => name);
  expect(alertsNamed.filter((name) => !rules.some(({ alert }) => alert === name))).toEqual([]);
  expect(valuesNamed().filter((path) => !isValue(path))).toEqual([]);
});

const stories = globSync('tests/e2e/*/*.test.ts', { cwd: root }).map((path) => path.split('/').at(-2) ?? '');

const values = parse(readFileSync(join(root, 'charts/strata/values.yaml'), 'utf8')) as Record<string, unknown>;
const defaults = values.serviceDefaults as Record<string, unknown>;

/** `jobs.graceSeconds` and the like. */
const valuesNamed = (): string[] =>
  [...prose.matchAll(/`([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?:: [^`]*)?`/g)]
    .map(([, path = '']) => path)
    .filter((path) => (path.split('.')[0] ?? '') in values);

function isValue(path: string): boolean {
  let at: unknown = values;
  for (const [depth, key] of path.split('.').entries()) {
    const inherited = depth === 1 ? defaults[key] : undefined;
    at = (at as Record<string, unknown> | undefined)?.[key] ?? inherited;
    if (at === undefined) return false;
  }
  return true;
}
