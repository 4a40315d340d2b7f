// The evaluator's RPCs: check, store, and let the supervisor do the rest. Score is answered at once, by a worker thread.
import type { DataSamplerServiceClient } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import {
  EvaluationTask,
  type EvaluatorServiceImplementation,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { keys } from '#lib/contracts/keys.ts';
import { check } from '#lib/platform/check.ts';
import { notFound } from '#lib/platform/errors.ts';
import { idOfRequest } from '#lib/platform/ids.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';
import { checkFit, checkForm } from './check-request.ts';
import { type EvaluationRecord, getEvaluation, hasEnded, listEvaluations, toMessage } from './evaluation.ts';
import type { TextScorer } from './text-scorer.ts';

export interface EvaluatorDependencies {
  state: KeyValue;
  dataSampler: Pick<DataSamplerServiceClient, 'getDataset'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'getModel'>;
  scorer: TextScorer;
  tracing: Tracing;
}

const mostPairs = 1000;

export const createEvaluatorService = (dependencies: EvaluatorDependencies): EvaluatorServiceImplementation => {
  const { state, dataSampler, weightLoader, scorer, tracing } = dependencies;

  async function resolveModel(model: { name: string; version: string } | undefined) {
    const { version } = await weightLoader.getModel(model ? { model } : {});
    if (!version?.ref) throw notFound('model', model?.name ?? '');
    return { ...version, ref: version.ref };
  }

  return {
    async createEvaluation(request) {
      const id = idOfRequest('evaluation', request.requestId);
      const known = await state.get<EvaluationRecord>(keys.evaluation(id));
      if (known) return { evaluation: toMessage(known.value) };
      checkForm(request);
      const version = await resolveModel(request.model);
      await checkFit(request.tasks, version, dataSampler);
      const record: EvaluationRecord = {
        id,
        model: version.ref,
        tasks: request.tasks.map((task) => EvaluationTask.toJSON(task)),
        results: [],
        phase: 'pending',
        error: '',
        labels: request.labels,
        createTime: new Date().toISOString(),
        endTime: '',
        attempts: 0,
        traceparent: tracing.traceparent(),
        announced: false,
      };
      const stored = await update<EvaluationRecord>(state, keys.evaluation(id), (current) =>
        current ? undefined : record,
      );
      return { evaluation: toMessage(stored ?? record) };
    },

    async getEvaluation({ evaluationId }) {
      return { evaluation: toMessage(await getEvaluation(state, evaluationId)) };
    },

    async listEvaluations({ model }) {
      const records = (await listEvaluations(state)).filter(
        (record) =>
          !model?.name ||
          (record.model.name === model.name && (!model.version || record.model.version === model.version)),
      );
      records.sort((a, b) => b.createTime.localeCompare(a.createTime));
      return { evaluations: records.map(toMessage) };
    },

    async *watchEvaluation({ evaluationId }, { signal }) {
      await getEvaluation(state, evaluationId);
      for await (const change of state.watch<EvaluationRecord>(keys.evaluation(evaluationId), { signal })) {
        if (change.kind === 'delete') return;
        yield { evaluation: toMessage(change.value) };
        if (hasEnded(change.value)) return;
      }
    },

    async score({ model, pairs }, { signal }) {
      check({
        model: !model?.name && 'is required',
        pairs: pairs.length > mostPairs && `at most ${mostPairs}; there are ${pairs.length}`,
      });
      const { prefix, labels } = await resolveModel(model);
      check({ model: labels.length > 0 && 'is a classifier: only language models give likelihoods' });
      return { scores: await scorer.score({ prefix, pairs }, signal) };
    },
  };
};
