// Log-probabilities of the model's own distribution (temperature 1, nothing cut away), in nats.
const { exp, log } = Math; // inside jest's contexts a lookup on Math is slow

export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

export interface ScoredToken extends TokenLogprob {
  /** The likeliest tokens at this place, likeliest first. */
  readonly alternatives: readonly TokenLogprob[];
}

/** One token's log-probability, and those of the `top` likeliest. */
export function scoreToken(logits: Float32Array, id: number, top = 0): ScoredToken {
  const total = logSumExp(logits);
  const score = (each: number): TokenLogprob => ({ id: each, logprob: (logits[each] as number) - total });
  return { ...score(id), alternatives: largestIds(logits, top).map(score) };
}

/** Probabilities from logits. */
export function softmax(logits: Float32Array): Float32Array {
  const total = logSumExp(logits);
  return logits.map((logit) => exp(logit - total));
}

function logSumExp(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) if ((logits[id] as number) > largest) largest = logits[id] as number;
  let total = 0;
  for (let id = 0; id < logits.length; id++) total += exp((logits[id] as number) - largest);
  return largest + log(total);
}

/** Ids of the `count` largest logits, largest first; equal ones by id. One pass that keeps a short sorted list. */
function largestIds(logits: Float32Array, count: number): number[] {
  const ids: number[] = [];
  if (count === 0) return ids;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (ids.length === count && logit <= (logits[ids[count - 1] as number] as number)) continue;
    let at = Math.min(ids.length, count - 1);
    while (at > 0 && (logits[ids[at - 1] as number] as number) < logit) {
      ids[at] = ids[at - 1] as number;
      at--;
    }
    ids[at] = id;
  }
  return ids;
}
