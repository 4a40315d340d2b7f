// strata demo: real text in, a served model out, a report card at the end.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import packageJson from '../../../package.json' with { type: 'json' };
import type { Act, Context } from '../context.ts';
import { prepareDocs } from '../demo/docs.ts';
import type { Recipe } from '../demo/recipe.ts';
import { toReportCard } from '../demo/report-card.ts';
import { runDemo } from '../demo/run-demo.ts';
import { prepareShakespeare } from '../demo/shakespeare.ts';
import { formatSeconds } from '../output.ts';
import { toHtml } from '../report/html.ts';
import { toMarkdown } from '../report/markdown.ts';
import { ensureEngine } from '../work/fetch-from-catalogue.ts';

const root = join(import.meta.dirname, '../../..');
const codeFolders = ['lib', 'services'];

const recipes = {
  docs: (_: Context, folder: string) => prepareDocs({ packages: join(root, 'node_modules'), folder }),
  shakespeare: (context: Context) => prepareShakespeare(context),
} satisfies Record<string, (context: Context, folder: string) => Promise<Recipe>>;

async function hashFiles(paths: string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(path.replace(root, '')).update(await readFile(path));
  return hash.digest('hex');
}

/** Every source file of the project, tests aside: what decides the outcome beside the data. */
async function hashCode(): Promise<string> {
  const perFolder = await Promise.all(
    codeFolders.map((folder) => readdir(join(root, folder), { recursive: true, withFileTypes: true })),
  );
  const files = perFolder
    .flat()
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return hashFiles([...files, join(root, 'package-lock.json')]);
}

const inputFiles = ({ tokenizerFiles, text, classifier, assistant }: Recipe): string[] => [
  ...tokenizerFiles,
  classifier.labels,
  ...[text, classifier.test, assistant.rows].flatMap(({ files }) => files.map(({ path }) => path)),
];

async function demo(context: Context, { data }: { data: keyof typeof recipes }): Promise<void> {
  const started = performance.now();
  await ensureEngine(context);
  const folder = join(context.config.home, 'demo', data);
  const recipe = await recipes[data](context, folder);
  const codeSha256 = await hashCode();
  const inputs = JSON.stringify([await hashFiles(inputFiles(recipe)), codeSha256]);
  const inputsHash = createHash('sha256').update(inputs).digest('hex');
  context.output.note(`${recipe.title}\n${recipe.summary}\n`);
  const result = await runDemo(context, { recipe, inputsHash });
  const report = toReportCard({ recipe, result, codeSha256, codeVersion: packageJson.version, date: new Date() });
  await mkdir(folder, { recursive: true });
  const markdown = join(folder, 'report.md');
  const html = join(folder, 'report.html');
  await writeFile(markdown, toMarkdown(report));
  await writeFile(html, toHtml(report));
  const seconds = (performance.now() - started) / 1000;
  context.output.result({ report, markdown, html, seconds }, () =>
    [
      `\nDone in ${formatSeconds(seconds)}. The report card:`,
      `  ${html}`,
      `  ${markdown}`,
      '\nNext: ./strata chat smollm2-135m-instruct',
    ].join('\n'),
  );
}

export function addDemoCommand(program: Command, act: Act): void {
  program
    .command('demo')
    .description(
      'the whole life of a model: tokenizer, data, pretraining, evaluation, finetuning, serving, report card',
    )
    .addOption(new Option('--data <texts>', 'which texts').choices(Object.keys(recipes)).default('docs'))
    .addHelpText('after', '\nExamples:\n  strata demo\n  strata demo --data shakespeare')
    .action(act(demo));
}
