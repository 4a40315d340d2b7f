// From logits to the next token. Chance is a function of the seed and of the token's number in its text, so a text depends neither
// on what else is generated nor on how it is cut into batches.
const { exp } = Math; // inside jest's contexts a lookup on Math is slow

export interface Sampling {
  /** Divides the logits; 0: always the likeliest token. */
  readonly temperature: number;
  /** Only the k likeliest tokens; 0: all. */
  readonly topK?: number | undefined;
  /** Only the likeliest tokens that together have this probability, after top-k (Holtzman et al. 2020); 1: all. */
  readonly topP?: number | undefined;
  /** A whole number from 0 to 2^53 - 1. */
  readonly seed: number;
}

/** Token `index` (counted from 0) of a text, chosen from its logits. */
export function sampleToken(logits: Float32Array, sampling: Sampling, index: number): number {
  const { temperature, topK = 0, topP = 1, seed } = sampling;
  if (temperature === 0) return likeliest(logits);
  const u = uniformAt(seed, index);
  if (topK === 0 && topP >= 1) return drawFromAll(logits, { temperature, u });
  const { ids, weights } = nucleus(logits, { temperature, topK, topP });
  return ids[drawIndex(weights, u)] as number;
}

/** The id with the largest logit; the first where several have it. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit > largest) {
      largest = logit;
      best = id;
    }
  }
  return best;
}

function drawFromAll(logits: Float32Array, { temperature, u }: { temperature: number; u: number }): number {
  const largest = logits[likeliest(logits)] as number;
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < weights.length; id++) weights[id] = exp(((logits[id] as number) - largest) / temperature);
  return drawIndex(weights, u);
}

/** The index at which the running sum of weights passes the part `u` of their total. */
function drawIndex(weights: Float64Array, u: number): number {
  let rest = u * sum(weights);
  for (let i = 0; i < weights.length; i++) {
    rest -= weights[i] as number;
    if (rest < 0) return i;
  }
  return weights.findLastIndex((weight) => weight > 0);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}

interface Cut {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/**
 * The likeliest tokens, in order, with their weights (the first one's is 1). Only tokens near the best are sorted; when they do not
 * suffice, twice as far.
 */
function nucleus(logits: Float32Array, { temperature, topK, topP }: Cut): { ids: Int32Array; weights: Float64Array } {
  const largest = logits[likeliest(logits)] as number;
  const weightOf = (id: number) => exp(((logits[id] as number) - largest) / temperature);
  const all = topK > 0 ? undefined : sum(Float64Array.from({ length: logits.length }, (_, id) => weightOf(id)));
  for (let distance = 4; ; distance *= 2) {
    const near = sortedNear(logits, largest - distance * temperature);
    const isAll = near.length === logits.length;
    if (topK > near.length && !isAll) continue;
    const ids = topK > 0 ? near.subarray(0, topK) : near;
    const weights = Float64Array.from(ids, weightOf);
    const count = countUpTo(weights, topP * (all ?? sum(weights)));
    if (count !== undefined || isAll) return { ids: ids.subarray(0, count), weights: weights.subarray(0, count) };
  }
}

/** Ids with at least this logit, likeliest first; equal ones by id. */
function sortedNear(logits: Float32Array, least: number): Int32Array {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) if ((logits[id] as number) >= least) ids.push(id);
  return Int32Array.from(ids.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b));
}

/** How many of the first weights sum to `wanted`. */
function countUpTo(weights: Float64Array, wanted: number): number | undefined {
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    total += weights[i] as number;
    if (total >= wanted) return i + 1;
  }
  return undefined;
}

const golden = 0x9e3779b97f4a7c15n;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

/** SplitMix64's output function (Steele, Lea, Flood 2014). */
function mix(value: bigint): bigint {
  let z = wrap((value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/** Number `index` of the seed's stream, in [0, 1): SplitMix64 from a mixed seed, by counting instead of stepping. */
export function uniformAt(seed: number, index: number): number {
  const state = wrap(mix(wrap(BigInt(seed) + golden)) + BigInt(index + 1) * golden);
  return Number(mix(state) >> 11n) / 2 ** 53;
}
