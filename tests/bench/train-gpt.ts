// Our side of train-cpu.ts, with the protocol of peers/train_gpt.py: one GPT training step, timed.
//
// usage: train-gpt.ts '{"layers":4,"heads":4,"width":128,"block":64,"batch":12,"vocabulary":65,"threads":2}'
// Each line "N" on standard input runs N steps and answers one line of JSON {"ms": [one a step], "cpu_ms": all together, "loss",
// "peak_rss_mb"}.
import { createInterface } from 'node:readline/promises';
import { gptConfig } from '#lib/model/config.ts';
import { createTrainer } from '#lib/model/create-trainer.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../support/library-dir.ts';

const { layers, heads, width, block, batch, vocabulary, threads } = JSON.parse(process.argv[2] ?? '{}');
openEngine({ libraryDir, threads });
const shape = { vocabSize: vocabulary, contextSize: block, nLayer: layers, nHead: heads, nEmbd: width };
const trainer = createTrainer({
  config: gptConfig(shape, { bias: false }),
  objective: 'lm',
  seed: 1,
  hyper: {
    learningRate: 1e-3,
    minLearningRate: 1e-3,
    warmupSteps: 0,
    maxSteps: 1,
    beta1: 0.9,
    beta2: 0.99,
    weightDecay: 0.1,
    gradClip: 1,
    dropout: 0,
  },
});

const randomIds = () => Int32Array.from({ length: batch * block }, () => Math.floor(Math.random() * vocabulary));

function timeStep(): [ms: number, loss: number] {
  const start = performance.now();
  const { loss } = trainer.update([{ rows: batch, columns: block, ids: randomIds(), targets: randomIds() }]);
  return [performance.now() - start, loss];
}

for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const steps = Array.from({ length: Number(line) }, timeStep);
  const { user, system } = process.cpuUsage(before);
  const answer = {
    ms: steps.map(([ms]) => ms),
    cpu_ms: (user + system) / 1e3,
    loss: steps.at(-1)?.[1],
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  };
  console.log(JSON.stringify(answer));
}
