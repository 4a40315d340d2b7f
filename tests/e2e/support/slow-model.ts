// A model with fresh weights that takes about a millisecond a token and hardly ever ends by itself: for stories about streams, not about text.
import type {
  DeepPartial,
  GenerateRequest,
  SamplingParameters,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import type { Services } from '../../../services/cli/connect.ts';
import { importModel } from '../../support/serving.ts';
import { tinyModel } from '../../support/tiny-models.ts';

export const slowModel = 'e2e-slow';

/** Imports it unless it is there. */
export const ensureSlowModel = (services: Pick<Services, 'weightLoader'>) =>
  importModel(services, slowModel, tinyModel('gpt2', { contextSize: 8192, width: 256 }).files, {
    requestId: slowModel,
  });

export const slowRequest = (sampling: DeepPartial<SamplingParameters>): DeepPartial<GenerateRequest> => ({
  model: { name: slowModel },
  prompt: { $case: 'text', value: 'A boat' },
  sampling: { temperature: 1, seed: 1, ...sampling },
});
