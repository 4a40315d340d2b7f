// Weighted mixtures of several parts, as a sequence that answers for any place: one round of at most 65,536 samples is laid out as a table and
// repeats. Within it, after any number n of samples, a part with share w has had n·w of them but for less than one (R. Tijdeman, "The chairman
// assignment problem", 1980). Weights that are no small whole numbers or decimals are rounded to whole samples of a round.

export interface Drawn {
  /** Which part this sample comes from. */
  part: number;
  /** How many samples that part had before. */
  index: number;
}

export interface Mixture {
  /** What each part really gets; adding up to 1. */
  readonly shares: readonly number[];
  at(sample: number): Drawn;
}

const longestRound = 65_536;

/** Weights are relative; a part of weight 0 is never drawn. Throws RangeError where none is positive or one is negative. */
export function createMixture(weights: readonly number[]): Mixture {
  const total = sum(weights);
  if (!(total > 0 && total < Infinity) || weights.some((weight) => weight < 0)) {
    throw new RangeError(`mixture: weights [${weights}] must not be negative, and one must be positive`);
  }
  const counts = exactCounts(weights) ?? roundedCounts(weights, total);
  const length = sum(counts);
  const { parts, indices } = layOut(counts, length);
  return {
    shares: counts.map((count) => count / length),
    at: (sample) => {
      const round = Math.floor(sample / length);
      const place = sample - round * length;
      const part = parts[place] as number;
      return { part, index: round * (counts[part] as number) + (indices[place] as number) };
    },
  };
}

/** Samples of every part in the shortest round that has the exact shares; undefined where it would be too long. */
function exactCounts(weights: readonly number[]): number[] | undefined {
  for (const scale of [1, 10, 100, 1000, 10_000]) {
    const scaled = weights.map((weight) => Math.round(weight * scale));
    if (scaled.some((count, i) => Math.abs(count - (weights[i] as number) * scale) > 1e-9 * count)) continue;
    const divisor = scaled.reduce(greatestCommonDivisor);
    const counts = scaled.map((count) => count / divisor);
    return sum(counts) <= longestRound ? counts : undefined;
  }
  return undefined;
}

/** A round of the greatest length, shared by largest remainders; every positive weight has at least one sample of it. */
function roundedCounts(weights: readonly number[], total: number): number[] {
  const exact = weights.map((weight) => (weight / total) * longestRound);
  const counts = exact.map((count, i) => (weights[i] ? Math.max(1, Math.floor(count)) : 0));
  const byRemainder = exact.map((_, i) => i).sort((a, b) => remainder(b) - remainder(a) || a - b);
  for (let i = 0, left = longestRound - sum(counts); i < left; i++) {
    const part = byRemainder[i] as number;
    counts[part] = (counts[part] as number) + 1;
  }
  return counts;

  function remainder(part: number): number {
    return (exact[part] as number) - (counts[part] as number);
  }
}

/** Tijdeman's rule: of the parts that have earned their next sample, the one that must have it soonest. */
function layOut(counts: readonly number[], length: number): { parts: Uint16Array; indices: Uint32Array } {
  const drawable = counts.flatMap((count, part) => (count > 0 ? [part] : []));
  const slack = drawable.length > 1 ? length / (2 * drawable.length - 2) : 0;
  const drawn = new Float64Array(counts.length);
  const parts = new Uint16Array(length);
  const indices = new Uint32Array(length);
  for (let place = 0; place < length; place++) {
    let chosen = -1;
    let soonest = Infinity;
    for (const part of drawable) {
      const count = counts[part] as number;
      const earned = (place + 1) * count - (drawn[part] as number) * length;
      const deadline = (length - slack - earned) / count;
      if (earned >= slack && deadline < soonest) {
        chosen = part;
        soonest = deadline;
      }
    }
    parts[place] = chosen;
    indices[place] = drawn[chosen] as number;
    drawn[chosen] = (drawn[chosen] as number) + 1;
  }
  return { parts, indices };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
