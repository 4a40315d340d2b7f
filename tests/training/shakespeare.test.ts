// T8: slow (some minutes), `make test-training`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest } from '@jest/globals';
import { testWithData } from '../support/data-dir.ts';
import { startTrainingServices } from '../support/services.ts';
import {
  baselines,
  finalLoss,
  passedAt,
  prepareShakespeare,
  publishedLoss,
  trainShakespeare,
} from '../support/shakespeare.ts';

jest.setTimeout(60 * 60_000);

testWithData(
  "nanoGPT's CPU configuration learns Shakespeare as well as in PyTorch, past the bigram and then the trigram",
  async (dataDir) => {
    const home = await mkdtemp(join(tmpdir(), 'strata-shakespeare-'));
    const services = await startTrainingServices(home);
    try {
      const { dataset, ...counts } = await prepareShakespeare(services, dataDir);
      // 65 characters and the three special tokens that every vocabulary of ours has
      expect(counts).toEqual({ vocabSize: 65 + 3, trainTokens: 1_003_854, validationTokens: 111_540 });
      const losses: number[] = [];
      for (const seed of [1, 2, 3]) {
        const points = await trainShakespeare(services, { seed, dataset });
        const bigram = passedAt(points, baselines.bigram) ?? Number.POSITIVE_INFINITY;
        const trigram = passedAt(points, baselines.trigram) ?? Number.POSITIVE_INFINITY;
        expect(bigram).toBeLessThan(trigram);
        expect(trigram).toBeLessThan(2000);
        losses.push(finalLoss(points));
      }
      expect(losses.reduce((sum, loss) => sum + loss) / losses.length).toBeLessThanOrEqual(publishedLoss);
    } finally {
      await services.stop();
      await rm(home, { recursive: true });
    }
  },
);
