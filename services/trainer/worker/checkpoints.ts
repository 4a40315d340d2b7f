// A run's checkpoints: folders of the object store, whole once their manifest is there.
//
//   runs/<id>/checkpoints/<step>/model.safetensors      what the run trains (frozen weights are the base model's)
//                                optimizer.safetensors  AdamW's moments
//                                state.json             position: step, next sample, tokens seen, best validation so far, seed, hash of the spec
//                                manifest.json          sizes and SHA-256 of the others, written last
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { objectKeys } from '#lib/contracts/keys.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import { type Artifact, createArtifact, openArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Run } from '../run.ts';

const positionSchema = z.object({
  step: z.number().int().min(0),
  /** Index of the first sample of the next step. */
  next_sample: z.number().int().min(0),
  tokens_seen: z.number().int().min(0),
  best: z.object({ step: z.number().int(), validation_loss: z.number() }).nullable(),
  /** All randomness (fresh weights, order of samples, dropout) follows from the seed and the step. */
  seed: z.number().int(),
  spec_sha256: z.string(),
});

/** How far a run has come. */
export interface Position {
  step: number;
  nextSample: number;
  tokensSeen: number;
  best: { step: number; validationLoss: number } | null;
}

export interface Checkpoint {
  position: Position;
  /** What is trained. */
  weights: Weights;
  optimizer: Weights;
}

export interface Checkpoints {
  /** Whole or not at all; a full store is RESOURCE_EXHAUSTED and leaves the earlier ones alone. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** The newest whole one. Those that are damaged are passed over, with the reason in the log. */
  loadNewest(): Promise<Checkpoint | undefined>;
  /** The trained weights at one step. */
  loadWeights(step: number): Promise<Weights>;
  /** Leaves `newest`, the `keep` - 1 before it, and `best`. What is newer was damaged and passed over. */
  prune(options: { newest: number; keep: number; best: number | undefined }): Promise<void>;
}

export const specSha256Of = ({ spec, inputs }: Pick<Run, 'spec' | 'inputs'>): string =>
  createHash('sha256').update(JSON.stringify({ spec, inputs })).digest('hex');

export interface CheckpointsOptions {
  objects: ObjectStore;
  run: Run;
  log: Logger;
}

export const createCheckpoints = ({ objects, run, log }: CheckpointsOptions): Checkpoints => {
  const { id, name, spec } = run;
  const specSha256 = specSha256Of(run);
  const prefixOf = (step: number): string => objectKeys.checkpoint(id, step);

  /** Steps with a manifest, the newest first. */
  const steps = async (): Promise<number[]> => {
    const found: number[] = [];
    for await (const { key } of objects.list(objectKeys.checkpoints(id))) {
      const [step = '', file] = key.slice(objectKeys.checkpoints(id).length + 1).split('/');
      if (file === 'manifest.json') found.push(Number(step));
    }
    return found.sort((a, b) => b - a);
  };

  /** The manifest goes first: what is left after a crash in the middle is no checkpoint any more. */
  const remove = async (step: number): Promise<void> => {
    await objects.delete(`${prefixOf(step)}/manifest.json`);
    await objects.deletePrefix(prefixOf(step));
  };

  const readPosition = async (artifact: Artifact): Promise<Position> => {
    const stored = await artifact.readJson('state.json', positionSchema);
    if (stored.spec_sha256 !== specSha256)
      throw new AppError('DATA_LOSS', 'it belongs to a run with another specification');
    const { step, next_sample: nextSample, tokens_seen: tokensSeen, best } = stored;
    return { step, nextSample, tokensSeen, best: best && { step: best.step, validationLoss: best.validation_loss } };
  };

  const load = async (step: number): Promise<Checkpoint> => {
    const artifact = await openArtifact(objects, prefixOf(step));
    const position = await readPosition(artifact);
    const weights = await readWeights(artifact, 'model.safetensors');
    return { position, weights, optimizer: await readWeights(artifact, 'optimizer.safetensors') };
  };

  const write = async ({ position, weights, optimizer }: Checkpoint): Promise<void> => {
    const { step, nextSample: next_sample, tokensSeen: tokens_seen, best: found } = position;
    const best = found && { step: found.step, validation_loss: found.validationLoss };
    const state = { step, next_sample, tokens_seen, best, seed: spec.seed, spec_sha256: specSha256 };
    const artifact = createArtifact(objects, prefixOf(step));
    await artifact.write('model.safetensors', toBody(weights));
    await artifact.write('optimizer.safetensors', toBody(optimizer));
    await artifact.write('state.json', Buffer.from(`${JSON.stringify(positionSchema.parse(state), null, 2)}\n`));
    const header = { kind: 'checkpoint', name, version: String(step), created_at: new Date().toISOString() };
    await artifact.commit({ ...header, metadata: { run: id, step } });
  };

  return {
    async save(checkpoint) {
      const { step } = checkpoint.position;
      await remove(step);
      try {
        await write(checkpoint);
      } catch (error) {
        await remove(step).catch(() => undefined);
        const { code, message } = fromUnknown(error);
        throw new AppError(code, `the checkpoint of step ${step} could not be written: ${message}`, { cause: error });
      }
    },

    async loadNewest() {
      for (const step of await steps()) {
        try {
          return await load(step);
        } catch (error) {
          const { code, message } = fromUnknown(error);
          if (code !== 'DATA_LOSS' && code !== 'INTERNAL' && code !== 'NOT_FOUND') throw error;
          log.warn({ step, reason: message }, 'checkpoint passed over: it is damaged');
        }
      }
      return undefined;
    },

    async loadWeights(step) {
      return readWeights(await openArtifact(objects, prefixOf(step)), 'model.safetensors');
    },

    async prune({ newest, keep, best }) {
      const all = await steps();
      const recent = all.filter((step) => step <= newest).slice(0, keep);
      for (const step of all) if (step !== best && !recent.includes(step)) await remove(step);
    },
  };
};

const readWeights = (artifact: Artifact, path: string): Promise<Weights> =>
  artifact.withLocalFile(path, (file) => readSafetensors(file));

async function* toBody(weights: Weights): AsyncGenerator<Uint8Array> {
  yield* encodeSafetensors(weights);
}
