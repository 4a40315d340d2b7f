// `make bench NAME=shakespeare`: what nanoGPT's CPU configuration learns through the services, against the same recipe in PyTorch.
// Loss over the whole validation part; the mean of three seeds that were not chosen. Last line: JSON with `ratio` = 1.90 / loss.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTrainingServices } from '../support/services.ts';
import {
  baselines,
  finalLoss,
  passedAt,
  prepareShakespeare,
  publishedLoss,
  trainShakespeare,
} from '../support/shakespeare.ts';

const dataDir = process.env.STRATA_DATA_DIR ?? join(import.meta.dirname, '../../../shared/data');
const seeds = (process.argv[2] ?? '1,2,3').split(',').map(Number);

const home = await mkdtemp(join(tmpdir(), 'strata-shakespeare-'));
const services = await startTrainingServices(home);
try {
  const { dataset } = await prepareShakespeare(services, dataDir);
  const results = [];
  for (const seed of seeds) {
    const began = performance.now();
    const points = await trainShakespeare(services, {
      seed,
      dataset,
      onPoint: ({ step, loss, validationLoss, tokensPerSecond }) => {
        if (validationLoss === undefined) return;
        console.log(
          `seed ${seed} step ${step}: loss ${loss.toFixed(3)}, validation ${validationLoss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s`,
        );
      },
    });
    results.push({
      seed,
      loss: finalLoss(points),
      bigramAt: passedAt(points, baselines.bigram),
      trigramAt: passedAt(points, baselines.trigram),
      seconds: Math.round((performance.now() - began) / 1000),
    });
  }
  const losses = results.map(({ loss }) => loss);
  const meanLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const ratio = publishedLoss / meanLoss;
  console.log(
    JSON.stringify({
      bench: 'shakespeare',
      ratio,
      goal: 1,
      meanLoss,
      seeds,
      losses,
      bigramPassedAt: results.map(({ bigramAt }) => bigramAt),
      trigramPassedAt: results.map(({ trigramAt }) => trigramAt),
      seconds: results.map(({ seconds }) => seconds),
    }),
  );
} finally {
  await services.stop();
  await rm(home, { recursive: true });
}
