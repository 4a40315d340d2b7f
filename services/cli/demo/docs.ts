// The default demo: the documentation and type declarations of the project's own dependencies.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { collectCorpus } from './corpus.ts';
import type { Recipe } from './recipe.ts';
import { instructionRows } from './signatures.ts';
import { labelledRows } from './snippets.ts';

/** How much is taken of what there is. */
export interface DocsSize {
  maxBytesPerKind: number;
  rowsPerLabel: number;
  heldOutRows: number;
  maxInstructions: number;
}

const usualSize: DocsSize = { maxBytesPerKind: 3_000_000, rowsPerLabel: 450, heldOutRows: 300, maxInstructions: 1100 };

const toJsonLines = (rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

export interface DocsOptions {
  /** The folder with the installed packages. */
  packages: string;
  /** Where the recipe's files are written. */
  folder: string;
  size?: DocsSize;
}

export async function prepareDocs({ packages, folder, size = usualSize }: DocsOptions): Promise<Recipe> {
  const { maxBytesPerKind, rowsPerLabel, heldOutRows, maxInstructions } = size;
  const documents = collectCorpus({ folder: packages, maxBytesPerKind });
  const rows = labelledRows(documents, rowsPerLabel);
  const instructions = instructionRows(documents, maxInstructions);
  const question = instructions.at(-1);
  await mkdir(folder, { recursive: true });
  const write = async (name: string, content: object[]): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, toJsonLines(content));
    return path;
  };
  const text = await write('documents.jsonl', documents);
  const labels = await write('labels.jsonl', rows.slice(0, -heldOutRows));
  const test = await write('labels-test.jsonl', rows.slice(-heldOutRows));
  const instructionFile = await write('instructions.jsonl', instructions.slice(0, -1));
  return {
    name: 'docs',
    title: 'Strata demo: documentation and type declarations',
    summary:
      "A GPT trained from nothing on the documentation and type declarations of this project's own dependencies, then finetuned into a classifier (documentation or code) and into an assistant (declaration in, one sentence out).",
    vocabSize: 2048,
    tokenizerFiles: [text],
    text: { files: [{ path: text }], validationShare: 0.05, seed: 1 },
    pretraining: { nLayer: 4, nHead: 4, nEmbd: 160, blockSize: 128, batchSize: 12, maxSteps: 1200 },
    classifier: {
      task: 'documentation-or-code',
      labels,
      test: { files: [{ path: test, split: Split.SPLIT_TEST }] },
      maxSteps: 120,
      learningRate: 5e-4,
      texts: [
        'Call this function once, before any other one, to set the options.',
        'export declare const options: Readonly<Options>;',
      ],
    },
    assistant: {
      rows: { files: [{ path: instructionFile }], validationShare: 0.1, testShare: 0.05, seed: 1 },
      maxSteps: 200,
      maxRowTokens: 128,
    },
    prompts: ['## Installation\n\n', 'export interface ', 'The function returns'],
    question: question ? `${question.instruction}\n\n${question.input}` : 'What is this?',
  };
}
