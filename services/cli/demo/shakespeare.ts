// The classical texts: tiny Shakespeare, the SMS spam collection, the 1,100 instructions. Through the catalogue: a folder of one's own first, then the public URL.
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { fetchFromCatalogue } from '../work/fetch-from-catalogue.ts';
import type { Recipe } from './recipe.ts';

export async function prepareShakespeare(context: Context): Promise<Recipe> {
  const fileOf = async (name: string, file: string): Promise<string> => {
    const path = (await fetchFromCatalogue(context, name)).files[file];
    if (!path) throw new AppError('INTERNAL', `catalogue: ${name} has no ${file}`);
    return path;
  };
  const text = await fileOf('tiny-shakespeare', 'input.txt');
  const train = await fileOf('sms-spam', 'train.csv');
  const test = await fileOf('sms-spam', 'test.csv');
  const instructions = await fileOf('instructions', 'instruction-data.json');
  return {
    name: 'shakespeare',
    title: 'Strata demo: the classical texts',
    summary:
      'A GPT trained from nothing on tiny Shakespeare, then finetuned into a spam classifier (the SMS spam collection, balanced) and into an assistant (1,100 instructions).',
    vocabSize: 1024,
    tokenizerFiles: [text, train, instructions],
    text: { files: [{ path: text }], validationShare: 0.1, contiguousSplit: true, seed: 1 },
    pretraining: { nLayer: 4, nHead: 4, nEmbd: 160, blockSize: 128, batchSize: 12, maxSteps: 1200 },
    classifier: {
      task: 'spam',
      labels: train,
      test: { files: [{ path: test, split: Split.SPLIT_TEST }] },
      maxSteps: 240,
      learningRate: 5e-4,
      texts: ['You have won a free prize! Call now to claim it.', 'Are we still meeting for lunch at noon?'],
    },
    assistant: {
      rows: { files: [{ path: instructions }], validationShare: 0.1, testShare: 0.05, seed: 1 },
      maxSteps: 240,
      maxRowTokens: 128,
    },
    prompts: ['ROMEO:\n', 'First Citizen:\n', 'O, what '],
    question: 'Rewrite the sentence in the past tense.\n\nThey go to the market.',
  };
}
