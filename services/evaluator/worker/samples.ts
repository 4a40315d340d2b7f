// Texts to look at: what a model makes of the beginnings it is given.
import type { Sample, Samples } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { TaskContext, TaskOutcome } from './task.ts';
import { createWriter } from './writer.ts';

const defaultMaxNewTokens = 64;

export async function samples(task: Samples, { subject, report, signal }: TaskContext): Promise<TaskOutcome> {
  const { prompts, maxNewTokens, ...sampling } = task;
  using writer = createWriter(subject);
  const written: Sample[] = [];
  for (const prompt of prompts) {
    const text = await writer.write(subject.tokenizer.encode(prompt), {
      ...sampling,
      maxTokens: maxNewTokens || defaultMaxNewTokens,
      signal,
    });
    written.push({ prompt, text, reference: '' });
    report(written.length, prompts.length, 'texts');
  }
  return { task: 'samples', samples: written };
}
