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
  const best = likeliest(logits);
  if (sampling.temperature === 0) return best;
  const scale: Scale = { largest: logits[best] as number, temperature: sampling.temperature };
  return draw(logits, { ...scale, ...cutOf(logits, sampling, scale), u: uniformAt(sampling.seed, index) });
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

/** What makes weights of logits: the likeliest token's is 1. */
interface Scale {
  readonly largest: number;
  readonly temperature: number;
}

const weightOf = (logit: number, { largest, temperature }: Scale): number => exp((logit - largest) / temperature);

/** Which tokens may be drawn: those above the logit `least`, and the first `ties` of those that have it. */
interface Cut {
  readonly least: number;
  readonly ties: number;
  /** Sum of their weights. */
  readonly total: number;
}

/** Top-k, then top-p. Only logits near the best are sorted; when they do not suffice, those twice as far as well. */
function cutOf(logits: Float32Array, { topK = 0, topP = 1 }: Sampling, scale: Scale): Cut {
  const all = topK > 0 ? undefined : sumOfWeights(logits, scale);
  const everything = { least: Number.NEGATIVE_INFINITY, ties: logits.length, total: all ?? 0 };
  if (topK === 0 && topP >= 1) return everything;
  for (let distance = 4; ; distance *= 2) {
    const near = logits.filter((logit) => logit >= scale.largest - distance * scale.temperature);
    const isAll = near.length === logits.length;
    if (near.length < topK && !isAll) continue;
    near.sort().reverse();
    const kept = topK > 0 ? near.subarray(0, topK) : near;
    const cut = beginningWith(topP * (all ?? sumOfWeights(kept, scale)), kept, scale);
    if (cut || isAll) return cut ?? everything;
  }
}

function sumOfWeights(logits: Float32Array, scale: Scale): number {
  let total = 0;
  for (let id = 0; id < logits.length; id++) total += weightOf(logits[id] as number, scale);
  return total;
}

/** The smallest beginning of sorted logits whose weights sum to `wanted`, if they do. */
function beginningWith(wanted: number, sorted: Float32Array, scale: Scale): Cut | undefined {
  let total = 0;
  let ties = 0;
  for (let i = 0; i < sorted.length; i++) {
    const logit = sorted[i] as number;
    ties = logit === sorted[i - 1] ? ties + 1 : 1;
    total += weightOf(logit, scale);
    if (total >= wanted) return { least: logit, ties, total };
  }
  return undefined;
}

/** The token at which the running sum of weights passes the part `u` of their total. */
function draw(logits: Float32Array, { least, ties, total, u, ...scale }: Scale & Cut & { u: number }): number {
  let rest = u * total;
  let tiesLeft = ties;
  let last = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit < least || (logit === least && tiesLeft-- <= 0)) continue;
    rest -= weightOf(logit, scale);
    if (rest < 0) return id;
    if (logit > Number.NEGATIVE_INFINITY) last = id;
  }
  return last;
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
