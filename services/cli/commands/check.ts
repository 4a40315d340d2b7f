// strata check: asks every service for something small, then sends a text through the tokenizer and through a loaded model. `helm test` runs it.
import type { Command } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import { toInt32Bytes } from '#lib/contracts/int32.ts';
import { AppError, fromUnknown, hasCode } from '#lib/platform/errors.ts';
import type { Services } from '../connect.ts';
import type { Act } from '../context.ts';
import { table } from '../output.ts';

interface Finding {
  name: string;
  ok: boolean;
  found: string;
  milliseconds: number;
}

type Probe = (services: Services, options: { signal: AbortSignal; deadlineMs: number }) => Promise<string>;

const count = (things: readonly unknown[], noun: string): string =>
  `${things.length} ${noun}${things.length === 1 ? '' : 's'}`;

const text = 'Strata reads naïve text, 123 times 🙂.';

const probes: Record<string, Probe> = {
  tokenizer: async ({ tokenizer }, options) =>
    count((await tokenizer.listTokenizers({}, options)).tokenizers, 'tokenizer'),
  'weight-loader': async ({ weightLoader }, options) =>
    count((await weightLoader.listModels({}, options)).models, 'model'),
  'data-sampler': async ({ dataSampler }, options) =>
    count((await dataSampler.listDatasets({}, options)).datasets, 'dataset'),
  trainer: async ({ trainer }, options) => count((await trainer.listRuns({}, options)).runs, 'run'),
  evaluator: async ({ evaluator }, options) =>
    count((await evaluator.listEvaluations({}, options)).evaluations, 'evaluation'),
  orchestrator: async ({ orchestrator }, options) =>
    count((await orchestrator.listPipelines({}, options)).pipelines, 'pipeline'),
  inference: async ({ inference }, options) =>
    count((await inference.listLoadedModels({}, options)).models, 'loaded model'),
  'tokenizer round trip': roundTrip,
  generation: generate,
};

async function roundTrip({ tokenizer }: Services, options: Parameters<Probe>[1]): Promise<string> {
  const ref = { name: 'gpt2', version: '' };
  const { ids } = await tokenizer.encode({ tokenizer: ref, text }, options);
  const decoded = await tokenizer.decode({ tokenizer: ref, ids }, options);
  if (decoded.text !== text) throw new AppError('UNAVAILABLE', `the text came back as ${JSON.stringify(decoded.text)}`);
  return `${ids.byteLength / 4} tokens and back`;
}

async function generate({ inference, weightLoader }: Services, options: Parameters<Probe>[1]): Promise<string> {
  for (const { ref } of (await inference.listLoadedModels({}, options)).models) {
    if (!ref) continue;
    const { version } = await weightLoader.getModel({ model: ref }, options);
    if (version?.labels.length) continue;
    // Every vocabulary has an id 0; not every one has the letters of a text.
    const prompt = { $case: 'ids', value: toInt32Bytes([0]) } as const;
    let tokens = 0;
    for await (const response of inference.generate({ model: ref, prompt, sampling: { maxTokens: 4 } }, options)) {
      tokens += response.ids.byteLength / 4;
    }
    return `${tokens} tokens from ${formatRef(ref)}`;
  }
  return 'no model is loaded that generates: not tried';
}

const needsInference = ['inference', 'generation'];

export function addCheckCommand(program: Command, act: Act): void {
  program
    .command('check')
    .description('ask every service for something small: are they there, do they work together?')
    .option('--may-sleep', 'inference may be scaled to zero')
    .addHelpText('after', '\nExample:\n  strata check')
    .action(
      act(async (context, { maySleep = false }: { maySleep?: boolean }) => {
        const services = await context.services();
        const options = { signal: context.signal, deadlineMs: 20_000 };
        const findings: Finding[] = [];
        for (const [name, probe] of Object.entries(probes)) {
          const began = performance.now();
          const result = await probe(services, options).then(
            (found) => ({ ok: true, found }),
            (error) => {
              const sleeps = maySleep && needsInference.includes(name) && hasCode(error, 'UNAVAILABLE');
              return { ok: sleeps, found: sleeps ? 'asleep' : fromUnknown(error).message };
            },
          );
          findings.push({ name, ...result, milliseconds: Math.round(performance.now() - began) });
        }
        context.output.result(findings, (all) =>
          table(
            ['', 'WHAT', 'MS', 'FOUND'],
            all.map(({ name, ok, found, milliseconds }) => [ok ? 'ok' : 'FAILED', name, String(milliseconds), found]),
            '',
          ),
        );
        const failed = findings.filter(({ ok }) => !ok).map(({ name }) => name);
        if (failed.length) throw new AppError('UNAVAILABLE', `not working: ${failed.join(', ')}`);
      }),
    );
}
