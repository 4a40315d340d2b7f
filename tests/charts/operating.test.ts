// The examples of values in the operator's guide are values that this chart takes, and its pipelines are pipelines.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { parsePipelines } from '../../services/orchestrator/pipelines-file.ts';
import { chart, helm, root } from './render.ts';

const guide = readFileSync(join(root, 'docs/operating.md'), 'utf8');
const examples = [...guide.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
const folder = mkdtempSync(join(tmpdir(), 'strata-guide-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('there are examples', () => expect(examples.length).toBeGreaterThanOrEqual(3));

test.each(examples.map((text, index) => [index + 1, text] as const))('example %i is rendered', async (index, text) => {
  const file = join(folder, `${index}.yaml`);
  writeFileSync(file, text);
  // Only the first one says who may come in.
  const open = text.includes('auth:') ? [] : ['--set', 'gateway.auth.open=true'];
  const rendered = await helm('template', 'strata', chart, '--namespace', 'strata', '--values', file, ...open);
  expect(rendered).toContain('kind: Deployment');
});

test('the orchestrator takes the pipelines', () => {
  const all = examples.map((text) => parse(text) as { orchestrator?: { pipelines: unknown[] } });
  const pipelines = all.flatMap(({ orchestrator }) => orchestrator?.pipelines ?? []);
  expect(parsePipelines(stringify(pipelines))).toMatchObject([{ task: 'spam', gate: { metric: 'accuracy' } }]);
});
