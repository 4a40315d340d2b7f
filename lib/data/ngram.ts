// Counting models as the plain baseline of a language model: uniform, unigram, bigram and trigram with Laplace's add-one smoothing,
// p(x | context) = (count(context x) + 1) / (count(context) + V), learnt from one stream of tokens and measured on another.

/** Mean nats per token. */
export interface NgramLosses {
  uniform: number;
  unigram: number;
  bigram: number;
  trigram: number;
}

/** Tokens in pieces that follow one another without gap or overlap. */
export type TokenPieces = Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>;

export interface NgramOptions {
  vocabSize: number;
  train: TokenPieces;
  validation: TokenPieces;
}

/** An n-gram is measured from its n-th token on. Memory: about 30 bytes a training token. */
export async function ngramLosses({ vocabSize, train, validation }: NgramOptions): Promise<NgramLosses> {
  const learnt = await collect(train);
  const measured = await collect(validation);
  if (measured.length === 0) throw new RangeError('n-gram baselines: there are no tokens to measure');
  let level: Level = {
    train: new Float64Array(learnt.length),
    measured: new Float64Array(measured.length),
    contextCount: () => learnt.length,
  };
  const losses = [Math.log(vocabSize)];
  for (let order = 1; order <= 3; order++) {
    const next = nextLevel({ level, vocabSize, learnt, measured, order });
    losses.push(next.loss ?? (losses.at(-1) as number));
    level = next.level;
  }
  const [uniform, unigram, bigram, trigram] = losses as [number, number, number, number];
  return { uniform, unigram, bigram, trigram };
}

/** For every position the index of the context that ends before it (-1: never seen in training), and how often each one was seen. */
interface Level {
  train: Float64Array;
  measured: Float64Array;
  contextCount(index: number): number;
}

interface LevelOptions {
  level: Level;
  vocabSize: number;
  learnt: Int32Array;
  measured: Int32Array;
  order: number;
}

/** Counts the n-grams, measures them, and makes them the contexts of the next order. */
function nextLevel({ level, vocabSize, learnt, measured, order }: LevelOptions): { level: Level; loss?: number } {
  const first = order - 1;
  const keyAt = (contexts: Float64Array, tokens: Int32Array, i: number): number =>
    (contexts[i] as number) * vocabSize + (tokens[i] as number);
  const keys = new Float64Array(Math.max(0, learnt.length - first));
  for (let i = first; i < learnt.length; i++) keys[i - first] = keyAt(level.train, learnt, i);
  const counts = countKeys(keys);

  const next = { train: new Float64Array(learnt.length), measured: new Float64Array(measured.length) };
  for (let i = first; i + 1 < learnt.length; i++) next.train[i + 1] = counts.indexOf(keyAt(level.train, learnt, i));
  let nats = 0;
  for (let i = first; i < measured.length; i++) {
    const context = level.measured[i] as number;
    const index = context < 0 ? -1 : counts.indexOf(keyAt(level.measured, measured, i));
    const contextCount = context < 0 ? 0 : level.contextCount(context);
    nats += Math.log((contextCount + vocabSize) / (counts.at(index) + 1));
    if (i + 1 < measured.length) next.measured[i + 1] = index;
  }
  const scored = measured.length - first;
  return { level: { ...next, contextCount: counts.at }, ...(scored > 0 && { loss: nats / scored }) };
}

interface Counts {
  /** Where a key stands among the different ones, or -1. */
  indexOf(key: number): number;
  /** How often the key of this index occurred; 0 for -1. */
  at(index: number): number;
}

/** Sorts `keys` and counts by place: no hash table grows with the text. */
function countKeys(keys: Float64Array): Counts {
  keys.sort();
  const begins = new Uint32Array(keys.length + 1);
  let different = 0;
  for (let i = 0; i < keys.length; i++) if (i === 0 || keys[i] !== keys[i - 1]) begins[different++] = i;
  begins[different] = keys.length;
  return {
    at: (index) => (index < 0 ? 0 : (begins[index + 1] as number) - (begins[index] as number)),
    indexOf: (key) => {
      let low = 0;
      let high = different - 1;
      while (low <= high) {
        const middle = (low + high) >>> 1;
        const found = keys[begins[middle] as number] as number;
        if (found === key) return middle;
        if (found < key) low = middle + 1;
        else high = middle - 1;
      }
      return -1;
    },
  };
}

async function collect(pieces: TokenPieces): Promise<Int32Array> {
  let tokens = new Int32Array(1 << 16);
  let length = 0;
  for await (const piece of pieces) {
    if (length + piece.length > tokens.length) {
      const larger = new Int32Array(Math.max(2 * tokens.length, length + piece.length));
      larger.set(tokens);
      tokens = larger;
    }
    tokens.set(piece, length);
    length += piece.length;
  }
  return tokens.subarray(0, length);
}
