// Training a byte-level BPE vocabulary: count pieces (count-pieces.ts), learn merges (learn-merges.ts), put the tokens together.
// Ids: the 256 bytes, the merges by rank, the special tokens last. The result is a function of the counts and these options.

import type { BpeVocabulary } from './bpe-vocabulary.ts';
import { createByteBpe } from './byte-bpe.ts';
import type { PieceCounts } from './count-pieces.ts';
import { defaultSpecialTokens, rolesOfSpecials } from './default-roles.ts';
import { learnMerges } from './learn-merges.ts';
import { gpt2PreTokenizer, type PreTokenizer } from './pre-tokenizers.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface TrainBpeOptions {
  /** Ids in all: 256 bytes, merges and special tokens. Text that is short or monotonous may give fewer. */
  readonly vocabSize: number;
  /** Default: <|endoftext|>, <|im_start|>, <|im_end|>. */
  readonly specialTokens?: readonly string[];
  /** The one the pieces were counted with. Default GPT-2's. */
  readonly preTokenizer?: PreTokenizer;
  /** Pairs that occur less often are not merged. Default 2. */
  readonly minCount?: number;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export const trainBpe = (counts: PieceCounts, options: TrainBpeOptions): Tokenizer =>
  createByteBpe(trainBpeVocabulary(counts, options));

export const trainBpeVocabulary = (counts: PieceCounts, options: TrainBpeOptions): BpeVocabulary => {
  const { vocabSize, specialTokens = defaultSpecialTokens, preTokenizer = gpt2PreTokenizer, ...rest } = options;
  const specials = [...new Set(specialTokens)];
  const smallest = 256 + specials.length;
  if (!Number.isInteger(vocabSize) || vocabSize < smallest) {
    throw new RangeError(
      `vocabSize ${vocabSize}: at least ${smallest} ids are needed (256 bytes, ${specials.length} special tokens)`,
    );
  }
  const { tokens, merges } = learnMerges(counts, { maxTokens: vocabSize - specials.length, ...rest });
  return {
    tokens,
    merges,
    addedTokens: specials.map((content, i) => ({ id: tokens.length + i, content, special: true })),
    preTokenizer,
    roles: rolesOfSpecials(specials),
  };
};
