// The thread that scores pairs of texts: keeps the last model loaded, computes away from the thread that serves.
import { workerData } from 'node:worker_threads';
import type {
  ScoreRequest_Pair,
  ScoreResponse_LogLikelihood,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Continuation } from '#lib/model/continuations.ts';
import { createScorer, type Scorer } from '#lib/model/scorer.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { ModelFiles } from '#lib/platform/model-files.ts';
import { serveWorker } from '#lib/platform/worker-call.ts';
import { type EngineOptions, openEngine } from '#lib/tensor/engine.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { loadSubject } from './subject.ts';

let loaded: { scorer: Scorer; tokenizer: Tokenizer } | undefined;

const methods = {
  async load(files: ModelFiles): Promise<void> {
    openEngine(workerData as EngineOptions);
    loaded?.scorer.dispose();
    loaded = undefined;
    const subject = await loadSubject(files);
    loaded = { scorer: createScorer(subject), tokenizer: subject.tokenizer };
  },

  async score(pairs: ScoreRequest_Pair[]): Promise<ScoreResponse_LogLikelihood[]> {
    if (!loaded) throw new Error('score: no model is loaded');
    const { scorer, tokenizer } = loaded;
    return scorer.logLikelihoods(pairs.map((pair, index) => toContinuation(tokenizer, pair, index)));
  },
};

function toContinuation(
  tokenizer: Tokenizer,
  { context, continuation }: ScoreRequest_Pair,
  index: number,
): Continuation {
  const pair = { context: tokenizer.encode(context), continuation: tokenizer.encode(continuation) };
  for (const [name, ids] of Object.entries(pair)) {
    if (!ids.length) throw invalidArgument(`pairs[${index}].${name}`, 'must have at least one token');
  }
  return pair;
}

serveWorker(methods);
export type ScoreMethods = typeof methods;
