// strata generate | chat | classify | score: what loaded models say.
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { DeepPartial, SamplingParameters, Usage } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import type { Act, Context } from '../context.ts';
import { toNumber } from '../options.ts';
import { table } from '../output.ts';
import { parseRef } from '../refs.ts';
import { ensureModel } from '../work/ensure-model.ts';

interface SamplingFlags {
  maxTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
  stop?: string[];
}

const toSampling = ({ topK, topP, stop, ...rest }: SamplingFlags): DeepPartial<SamplingParameters> => ({
  ...(rest.maxTokens !== undefined && { maxTokens: rest.maxTokens }),
  ...(rest.temperature !== undefined && { temperature: rest.temperature }),
  ...(rest.seed !== undefined && { seed: rest.seed }),
  topK: topK ?? 0,
  topP: topP ?? 0,
  stop: stop ?? [],
});

const withSampling = (command: Command): Command =>
  command
    .option('--max-tokens <n>', 'most tokens to make', toNumber)
    .option('--temperature <value>', '0 is greedy', toNumber)
    .option('--top-k <n>', 'only the n best tokens', toNumber)
    .option('--top-p <share>', 'only the best tokens that make up this probability', toNumber)
    .option('--seed <n>', 'the same seed gives the same text', toNumber)
    .option('--stop <text...>', 'end before this text');

interface Streamed {
  text: string;
  usage?: Usage | undefined;
}

/** Prints the answer as it comes; under --json nothing until its end. */
async function stream(
  context: Context,
  responses: AsyncIterable<{ text: string; usage?: Usage | undefined }>,
): Promise<Streamed> {
  let text = '';
  let usage: Usage | undefined;
  for await (const response of responses) {
    text += response.text;
    usage = response.usage ?? usage;
    if (!context.output.json) context.output.text(response.text);
  }
  if (!context.output.json) context.output.text('\n');
  return { text, usage };
}

const speed = (usage: Usage | undefined): string =>
  usage ? `[${usage.completionTokens} tokens, ${usage.tokensPerSecond.toFixed(1)} tokens/s]` : '';

interface Turn {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

async function answer(context: Context, model: ArtifactRef, messages: Turn[], flags: SamplingFlags): Promise<Streamed> {
  const { inference } = await context.services();
  const request = { model, messages, sampling: toSampling(flags) };
  return stream(context, inference.chat(request, { signal: context.signal }));
}

/** Longest answer unless asked otherwise: small models seldom find an end by themselves. */
const longestAnswer = 512;
/** One question has one best answer; a conversation may vary a little. */
const oneAnswer = { temperature: 0 };
const conversation = { temperature: 0.2, topP: 0.9 };

async function withAnswerLimit(context: Context, model: ArtifactRef, flags: SamplingFlags): Promise<SamplingFlags> {
  const { version } = await (await context.services()).weightLoader.getModel({ model });
  return { maxTokens: Math.min(longestAnswer, version?.contextLength ?? longestAnswer), ...flags };
}

/** One question after the other, until an empty line's Ctrl-D or `/exit`. */
async function converse(context: Context, model: ArtifactRef, messages: Turn[], flags: SamplingFlags): Promise<void> {
  context.output.note('Ask something; /exit or Ctrl-D ends.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.setPrompt('> ');
  terminal.prompt();
  for await (const line of terminal) {
    if (line.trim() === '/exit') break;
    if (line.trim()) {
      messages.push({ role: 'user', content: line });
      const { text, usage } = await answer(context, model, messages, flags);
      messages.push({ role: 'assistant', content: text });
      context.output.note(speed(usage));
    }
    terminal.prompt();
  }
  terminal.close();
}

export function addGenerateCommands(program: Command, act: Act): void {
  withSampling(program.command('generate <model> <prompt>').description('go on with a text'))
    .addHelpText(
      'after',
      "\nExample:\n  strata generate small 'The tokenizer' --max-tokens 64 --temperature 0.8 --seed 1",
    )
    .action(
      act(async (context, name: string, prompt: string, flags: SamplingFlags) => {
        const model = await ensureModel(context, parseRef(name));
        const { inference } = await context.services();
        const request = { model, prompt: { $case: 'text', value: prompt } as const, sampling: toSampling(flags) };
        const answered = await stream(context, inference.generate(request, { signal: context.signal }));
        if (context.output.json) context.output.result(answered, () => '');
        context.output.note(speed(answered.usage));
      }),
    );

  withSampling(
    program
      .command('chat <model> [question]')
      .description(
        'talk with a model; with a question, print the answer and end. An open model of the catalogue is fetched first',
      )
      .option('--system <text>', "the system's message"),
  )
    .addHelpText(
      'after',
      "\nExamples:\n  strata chat smollm2-135m-instruct\n  strata chat smollm2-135m-instruct 'What is gravity?'",
    )
    .action(
      act(async (context, name: string, question: string | undefined, flags: SamplingFlags & { system?: string }) => {
        const model = await ensureModel(context, parseRef(name));
        const limited = await withAnswerLimit(context, model, flags);
        const messages: Turn[] = flags.system ? [{ role: 'system', content: flags.system }] : [];
        if (question === undefined) return converse(context, model, messages, { ...conversation, ...limited });
        const asked: Turn[] = [...messages, { role: 'user', content: question }];
        const answered = await answer(context, model, asked, { ...oneAnswer, ...limited });
        if (context.output.json) return context.output.result(answered, () => '');
        return context.output.note(speed(answered.usage));
      }),
    );

  program
    .command('classify <model> <texts...>')
    .description('which class each text belongs to')
    .addHelpText('after', "\nExample:\n  strata classify spam 'You have won a prize, call now'")
    .action(
      act(async (context, name: string, texts: string[]) => {
        const { inference } = await context.services();
        const model = await ensureModel(context, parseRef(name));
        const { classifications } = await inference.classify({ model, texts }, { signal: context.signal });
        context.output.result(classifications, (all) =>
          table(
            ['LABEL', 'PROBABILITY', 'TEXT'],
            all.map(({ label, probability }, index) => [
              label,
              probability.toFixed(4),
              texts[index]?.slice(0, 60) ?? '',
            ]),
            'nothing to classify',
          ),
        );
      }),
    );

  program
    .command('score <model> <context> <continuation>')
    .description('log-likelihood of a continuation')
    .addHelpText('after', "\nExample:\n  strata score smollm2-135m-instruct 'The capital of France is' ' Paris'")
    .action(
      act(async (context, name: string, before: string, continuation: string) => {
        const { inference } = await context.services();
        const model = await ensureModel(context, parseRef(name));
        const { scores } = await inference.score({ model, items: [{ context: before, continuation }] });
        const [score] = scores;
        const value = { logLikelihood: score?.logLikelihood ?? 0, isGreedy: score?.isGreedy ?? false };
        context.output.result(value, (one) => `${one.logLikelihood.toFixed(5)}${one.isGreedy ? ' (greedy)' : ''}`);
      }),
    );
}
