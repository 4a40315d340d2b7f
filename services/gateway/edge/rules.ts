// Who may call what, and what of it is a tenant's. One row an RPC; a new RPC does not compile without one.
// What every row has without saying so (tenancy.ts): references and uploads in requests must be readable, request ids are kept apart.
import type { Usage } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Rules } from './rule.ts';

/** The label that says whose an evaluation or a run is, where its names do not. */
export const tenantLabel = 'tenant';

/** A tenant cannot claim another's label, nor a pipeline's. */
function labelled<T extends { labels: Record<string, string> }>(request: T, tenant: string): T {
  if ('pipeline_run' in request.labels) throw invalidArgument('labels', '"pipeline_run" is the orchestrator\'s own');
  return { ...request, labels: { ...request.labels, [tenantLabel]: tenant } };
}

interface Upload {
  part?: { $case: 'header'; value: { owner: string } } | { $case: 'chunk'; value: unknown } | undefined;
}

const owned = <T extends Upload>(request: T, tenant: string): T =>
  request.part?.$case === 'header'
    ? { ...request, part: { ...request.part, value: { ...request.part.value, owner: tenant } } }
    : request;

const spent = ({ usage }: { usage: Usage | undefined }): number =>
  usage ? usage.promptTokens + usage.completionTokens : 0;

export const rules = {
  tokenizer: {
    encode: { scope: 'inference' },
    encodeStream: { scope: 'inference' },
    decode: { scope: 'inference' },
    decodeStream: { scope: 'inference' },
    countTokens: { scope: 'inference' },
    renderChat: { scope: 'inference' },
    trainTokenizer: { scope: 'write', makes: ({ name }) => [{ kind: 'tokenizer', field: 'name', name }] },
    getTokenizer: { scope: 'read' },
    listTokenizers: {
      scope: 'read',
      shows: ({ tokenizers }, sees) => ({ tokenizers: tokenizers.filter(({ ref }) => sees.name(ref?.name)) }),
    },
  },
  'data-sampler': {
    uploadSource: { scope: 'write', amend: owned },
    createDataset: { scope: 'write', makes: ({ name }) => [{ kind: 'dataset', field: 'name', name }] },
    getDataset: { scope: 'read' },
    listDatasets: {
      scope: 'read',
      shows: ({ datasets }, sees) => ({ datasets: datasets.filter(({ ref }) => sees.name(ref?.name)) }),
    },
    previewMixture: { scope: 'read' },
    streamBatches: { scope: 'read' },
  },
  trainer: {
    createRun: {
      scope: 'write',
      makes: ({ name, spec }) => [
        { kind: 'run', field: 'name', name },
        { kind: 'model', field: 'spec.output_model', name: spec?.outputModel ?? '' },
      ],
      amend: labelled,
    },
    getRun: { scope: 'read', thing: ({ runId }) => ({ kind: 'run', id: runId }) },
    listRuns: { scope: 'read', shows: ({ runs }, sees) => ({ runs: runs.filter(sees.run) }) },
    watchRun: { scope: 'read', thing: ({ runId }) => ({ kind: 'run', id: runId }) },
    cancelRun: { scope: 'write', thing: ({ runId }) => ({ kind: 'run', id: runId }) },
    resumeRun: { scope: 'write', thing: ({ runId }) => ({ kind: 'run', id: runId }) },
  },
  evaluator: {
    createEvaluation: { scope: 'write', amend: labelled },
    getEvaluation: { scope: 'read', thing: ({ evaluationId }) => ({ kind: 'evaluation', id: evaluationId }) },
    listEvaluations: {
      scope: 'read',
      shows: ({ evaluations }, sees) => ({ evaluations: evaluations.filter(sees.evaluation) }),
    },
    watchEvaluation: { scope: 'read', thing: ({ evaluationId }) => ({ kind: 'evaluation', id: evaluationId }) },
    score: { scope: 'inference' },
  },
  'weight-loader': {
    uploadModelFile: { scope: 'write', amend: owned },
    importModel: { scope: 'write', makes: ({ name }) => [{ kind: 'model', field: 'name', name }] },
    exportModel: { scope: 'read' },
    // Reads whatever a run has written: the trainer's own.
    registerModel: {
      scope: 'admin',
      platformOnly: true,
      makes: ({ name }) => [{ kind: 'model', field: 'name', name }],
    },
    getModel: { scope: 'read' },
    listModels: {
      scope: 'read',
      shows: ({ models }, sees) => ({ models: models.filter(({ name }) => sees.name(name)) }),
    },
    promoteModel: {
      scope: 'write',
      changes: ({ model }) => [{ kind: 'model', field: 'model.name', name: model?.name ?? '' }],
    },
    rollbackModel: { scope: 'write', changes: ({ name }) => [{ kind: 'model', field: 'name', name }] },
  },
  inference: {
    generate: { scope: 'inference', tokens: spent },
    chat: { scope: 'inference', tokens: spent },
    classify: { scope: 'inference' },
    score: {
      scope: 'inference',
      tokens: ({ scores }) => scores.reduce((sum, { tokens }) => sum + tokens.length, 0),
    },
    listLoadedModels: {
      scope: 'inference',
      shows: ({ models }, sees) => ({ models: models.filter(({ ref }) => sees.name(ref?.name)) }),
    },
  },
  orchestrator: {
    applyPipeline: {
      scope: 'write',
      makes: ({ pipeline }) => [
        { kind: 'task', field: 'pipeline.task', name: pipeline?.task ?? '' },
        { kind: 'model', field: 'pipeline.output_model', name: pipeline?.outputModel ?? '' },
      ],
    },
    deletePipeline: { scope: 'write', changes: ({ task }) => [{ kind: 'task', field: 'task', name: task }] },
    addLabels: {
      scope: 'write',
      makes: ({ part }) =>
        part?.$case === 'header' ? [{ kind: 'task', field: 'header.task', name: part.value.task }] : [],
    },
    listPipelines: {
      scope: 'read',
      shows: ({ pipelines }, sees) => ({ pipelines: pipelines.filter(({ task }) => sees.own(task)) }),
    },
    getPipelineRun: { scope: 'read', thing: ({ pipelineRunId }) => ({ kind: 'pipeline run', id: pipelineRunId }) },
    listPipelineRuns: {
      scope: 'read',
      shows: ({ pipelineRuns }, sees) => ({ pipelineRuns: pipelineRuns.filter(({ task }) => sees.own(task)) }),
    },
    watchPipelineRun: { scope: 'read', thing: ({ pipelineRunId }) => ({ kind: 'pipeline run', id: pipelineRunId }) },
    triggerPipeline: { scope: 'write', changes: ({ task }) => [{ kind: 'task', field: 'task', name: task }] },
    // Events of every tenant.
    listDeadLetters: { scope: 'admin', platformOnly: true, shows: () => ({ deadLetters: [] }) },
    replayDeadLetter: { scope: 'admin', platformOnly: true },
  },
} satisfies Rules;
