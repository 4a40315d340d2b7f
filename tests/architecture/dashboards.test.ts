// Dashboards and alerts ask only for what is there: every expression is PromQL, every metric one of docs/observability.md.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { readMetricsTable } from '../support/metrics-table.ts';

const chart = join(__dirname, '../../charts/strata');
const read = (path: string): string => readFileSync(join(chart, path), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook: string };
}
const rules = globSync('alerts/*.yaml', { cwd: chart }).flatMap((path) =>
  (parse(read(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string }[];
}
interface Dashboard {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; definition?: string }[] };
}
const dashboards = ['training', 'serving'].map((name) => JSON.parse(read(`dashboards/${name}.json`)) as Dashboard);

/** Grafana's own variables, as something that can be parsed. */
const filledIn = (expr: string): string => expr.replace(/\$__\w+/g, '5m').replace(/\$\{?\w+\}?/g, 'x');

const ofPanels = dashboards.flatMap(({ uid, panels }) =>
  panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [`${uid}: ${title}`, filledIn(expr)] as const)),
);
const expressions = [...ofPanels, ...rules.map(({ alert, expr }) => [alert, expr] as const)];

/** Names of metrics in an expression; throws where it is no PromQL. */
function metricsIn(expr: string): string[] {
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expr}`);
      if (node.name === 'VectorSelector' && node.node.firstChild?.name === 'Identifier')
        names.push(expr.slice(node.node.firstChild.from, node.node.firstChild.to));
    },
  });
  return names;
}

const table = readMetricsTable();
const known = new Set(
  table.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

test('there are dashboards and alerts to look at', () => {
  expect(ofPanels.length).toBeGreaterThan(30);
  expect(rules.length).toBeGreaterThan(15);
  expect(table.length).toBeGreaterThan(50);
});

test.each(expressions)('%s asks for metrics that exist', (_, expr) => {
  const names = metricsIn(expr);
  expect(names).not.toEqual([]);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
});

test('counters are asked for their rate, never for their value', () => {
  const counters = table.filter(({ type }) => type === 'counter').map(({ name }) => name);
  for (const [where, expr] of expressions) {
    for (const name of counters) {
      const bare = expr.replaceAll(new RegExp(`(rate|increase)\\(${name}`, 'g'), '');
      expect([where, bare.includes(name)]).toEqual([where, false]);
    }
  }
});

test('an alert has a severity, says what is wrong, and links to what to do about it', () => {
  for (const { alert, labels, annotations } of rules) {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.summary.length).toBeGreaterThan(10);
    expect(annotations.description.length).toBeGreaterThan(10);
    expect(annotations.runbook).toBe(`docs/operating.md#${alert.toLowerCase()}`);
  }
  const names = rules.map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
});

test('dashboards can be narrowed to a namespace, and to a run or a model', () => {
  const variables = dashboards.map(({ templating }) => templating.list.map(({ name }) => name));
  expect(variables).toEqual([
    ['datasource', 'namespace', 'run'],
    ['datasource', 'namespace', 'model'],
  ]);
  for (const { panels } of dashboards) expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
});
