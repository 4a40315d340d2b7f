// The caches of one model's thread. The last one used is kept: a prompt that begins as the text in it does (the next turn of a chat)
// is computed from where they part. Requests come one at a time; an aborted one may still be in its last step, then another cache is made.
import type { Decoder, Sequence } from '#lib/decode/decoder.ts';

export interface TakenSequence extends Disposable {
  readonly sequence: Sequence;
}

export interface Sequences {
  take(): TakenSequence;
  /** Whether any is taken. */
  readonly inUse: boolean;
  dispose(): void;
}

export function createSequences(decoder: Decoder): Sequences {
  let kept: Sequence | undefined;
  let taken = 0;
  const dispose = (): void => {
    kept?.[Symbol.dispose]();
    kept = undefined;
  };
  return {
    get inUse() {
      return taken > 0;
    },
    take() {
      const sequence = kept ?? decoder.createSequence();
      kept = undefined;
      taken++;
      return {
        sequence,
        [Symbol.dispose]() {
          taken--;
          dispose();
          kept = sequence;
        },
      };
    },
    dispose,
  };
}
