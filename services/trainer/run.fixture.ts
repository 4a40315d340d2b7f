// Stored runs for tests.
import { Hyperparameters, type MetricPoint, RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { Run, RunState } from './run.ts';

export const runIn = (state: RunState, more: Partial<Run> = {}): Run => ({
  id: 'r1',
  requestSha256: '',
  name: 'tiny',
  labels: {},
  spec: RunSpec.create({ hyperparameters: Hyperparameters.create({ maxSteps: 10 }) }),
  inputs: {
    tokenizer: { name: 'chars', version: 'v1' },
    tokenizerSha256: '',
    vocabSize: 65,
    labelNames: [],
    basePrefix: '',
    validated: [],
  },
  createTime: '2026-01-01T00:00:00.000Z',
  startTime: '',
  endTime: '',
  state,
  attempts: 1,
  restarts: [],
  waitingFor: '',
  deaths: 0,
  checkpointStep: 0,
  parameters: 0,
  lastMetrics: null,
  workerError: '',
  announced: '',
  ...more,
});

export const pointAt = (step: number, loss = 1): MetricPoint => ({
  step,
  loss,
  learningRate: 1e-3,
  gradNorm: 1,
  tokensPerSecond: 1000,
  stepSeconds: 0.1,
  tokensSeen: step * 10,
  remainingSeconds: 0,
});
