// T25's scores: SmolLM2-135M-Instruct from its GGUF file, through the services, on the first 500 rows of each file, beside what `transformers` gave
// for the same weights. Takes minutes: it runs with the slow suite.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest } from '@jest/globals';
import { DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { loadConfig } from '../../services/cli/config.ts';
import { type Context, createContext } from '../../services/cli/context.ts';
import { createDataset } from '../../services/cli/work/create-dataset.ts';
import { ensureModel } from '../../services/cli/work/ensure-model.ts';
import { uploadSources } from '../../services/cli/work/upload-sources.ts';
import { evaluate } from '../../services/cli/work/watch-evaluation.ts';
import { testWithData } from '../support/data-dir.ts';
import { nowhere } from '../support/silent-output.ts';

jest.setTimeout(60 * 60_000);

const limit = 500;
const tasks = ['lambada_openai', 'arc_easy', 'openbook_qa'];
async function score(context: Context, dataDir: string): Promise<Record<string, Record<string, number>>> {
  const model = await ensureModel(context, { name: 'smollm2-135m-instruct', version: '' });
  const text = await createDataset(context, {
    name: 'shakespeare',
    kind: DatasetKind.DATASET_KIND_TEXT,
    tokenizer: { name: `model:${model.name}`, version: model.version },
    files: [{ path: join(dataDir, 'tinyshakespeare/input.txt') }],
    validationShare: 0.1,
    contiguousSplit: true,
  });
  const files = await uploadSources(
    context,
    tasks.map((name) => join(dataDir, 'evals', `${name}.jsonl`)),
  );
  const { results } = await evaluate(context, {
    model,
    tasks: [
      ...files.map((rows, index) => ({
        task: { $case: 'likelihood' as const, value: { name: tasks[index] ?? '', rows, limit } },
      })),
      {
        task: {
          $case: 'languageModelling' as const,
          value: {
            ...(text.ref && { dataset: text.ref }),
            split: Split.SPLIT_VALIDATION,
            blockSize: 1024,
            maxTokens: 20_480,
          },
        },
      },
    ],
  });
  return Object.fromEntries(
    results.map(({ task, scores }) => [task, Object.fromEntries(scores.map(({ metric, value }) => [metric, value]))]),
  );
}

testWithData('the evaluator gives SmolLM2 the scores that transformers gives it', async (dataDir) => {
  const { scores: expected } = JSON.parse(readFileSync(join(dataDir, 'smollm2_reference.json'), 'utf8'));
  const home = mkdtempSync(join(tmpdir(), 'strata-scores-'));
  const config = loadConfig({ ...process.env, STRATA_HOME: home });
  const { signal } = new AbortController();
  const context = createContext({ config, json: true, signal, stdout: nowhere(), stderr: nowhere() });
  try {
    const { lambada_openai, arc_easy, openbook_qa, language_modelling } = await score(context, dataDir);
    expect(lambada_openai?.accuracy).toBeCloseTo(expected.lambada_openai.acc, 10);
    expect(lambada_openai?.perplexity).toBeCloseTo(expected.lambada_openai.perplexity, 1);
    for (const [mine, theirs] of [
      [arc_easy, expected.arc_easy],
      [openbook_qa, expected.openbook_qa],
    ]) {
      expect(mine?.acc).toBeCloseTo(theirs.acc, 10);
      expect(mine?.acc_norm).toBeCloseTo(theirs.acc_norm, 10);
    }
    expect(language_modelling?.loss).toBeCloseTo(expected.tinyshakespeare_val.loss, 2);
  } finally {
    await context.close();
    rmSync(home, { recursive: true, force: true });
  }
});
