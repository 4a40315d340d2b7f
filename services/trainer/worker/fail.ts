// What a worker's error means: the end of the run, or something that may pass.
import { fromUnknown } from '#lib/platform/errors.ts';

export interface Failure {
  /** Another attempt would fail the same way. */
  final: boolean;
  message: string;
}

/** Codes that may be gone next time. */
const passing: readonly string[] = ['UNAVAILABLE', 'ABORTED', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL', 'UNKNOWN'];

/** Errors of the maths libraries: each says what is wrong with the input, the machine or the installation. */
const finalNames: readonly string[] = ['ConfigError', 'ModelFormatError', 'TokenizerFormatError', 'LibraryError'];

export const toFailure = (error: unknown, runId: string): Failure => {
  const known = fromUnknown(error);
  const { name } = error as Error;
  if (isOutOfMemory(error))
    return { final: true, message: `${known.message}: lower batch_size and raise accumulation_steps` };
  if (known.code === 'RESOURCE_EXHAUSTED') {
    const message = `${known.message}; make room, then resume the run (strata run resume ${runId}): earlier checkpoints are intact`;
    return { final: true, message };
  }
  return { final: finalNames.includes(name) || !passing.includes(known.code), message: known.message };
};

/** TF_RESOURCE_EXHAUSTED. */
const isOutOfMemory = (error: unknown): boolean => {
  const { name, code } = error as { name?: string; code?: unknown };
  return name === 'TensorFlowError' && code === 8;
};
