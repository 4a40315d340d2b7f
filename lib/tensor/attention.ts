// Causal attention over [B, H, T, D]: batch, heads, positions, head size.
//
// Queries are taken in a few blocks, each against the keys up to its own end: with four blocks, 3/8 of the products of
// plain attention are not computed that a mask would throw away. The gradient follows FlashAttention (Dao et al. 2022):
// it computes the probabilities again instead of keeping them, which grow with T squared, and what softmax's gradient
// subtracts is the sum of dy * y, which is D wide, and not that of dp * p, which is T wide.
import { dropoutMask } from './random.ts';
import { afresh } from './raw-ops.ts';
import { tf } from './tfjs.ts';
import { withGradient } from './with-gradient.ts';

export interface Attention {
  /** [B, H, T, D] */
  readonly q: tf.Tensor4D;
  /** [B, G, T, D]: each key and value head serves H / G consecutive query heads (Ainslie et al. 2023). */
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
  /** Of the probabilities. `seed` is int32 [2]. */
  readonly dropout?: { readonly rate: number; readonly seed: tf.Tensor } | undefined;
}

/** softmax(q k^T / sqrt(D)) v, in which no position sees a later one: [B, H, T, D]. */
export function causalAttention({ q, k, v, dropout }: Attention): tf.Tensor4D {
  const layout = layoutOf(q, k, v);
  const scale = 1 / Math.sqrt(layout.D);
  const blocks = blocksOf(layout);
  return withGradient(
    [q, k, v],
    (queries, keys, values) => {
      const inputs = { q: tf.mul(queries, scale), k: keys, v: values, seed: dropout?.seed ?? tf.zeros([2], 'int32') };
      const parts = blocks.map((block) => attend(block, inputs, dropout?.rate));
      const y = joinRows(layout, pluck(parts, 'y')); // [B, H, T, D]
      return { value: y, saved: [inputs.q, keys, values, inputs.seed, y, ...pluck(parts, 'logSum')] };
    },
    (dy, queries, keys, values, seeds, y, ...logSums) => {
      const [q, k, v, seed] = afresh(dy, queries, keys, values, seeds);
      const inputs = { q, k, v, seed, y, dy };
      const toGradient = (block: Block, i: number) =>
        attendGradient(block, { ...inputs, logSum: logSums[i] as tf.Tensor }, dropout?.rate);
      const parts = blocks.map(toGradient);
      const dq = tf.mul(joinRows(layout, pluck(parts, 'dq')), scale);
      return [dq, addKeys(layout, pluck(parts, 'dk')), addKeys(layout, pluck(parts, 'dv'))];
    },
  ) as tf.Tensor4D;
}

type Tensors<K extends string> = Readonly<Record<K, tf.Tensor>>;

const pluck = <K extends string>(parts: readonly Tensors<K>[], key: K): tf.Tensor[] => parts.map((part) => part[key]);

interface Layout {
  readonly B: number;
  /** Key and value heads. */
  readonly G: number;
  /** Query heads that share one of them. */
  readonly R: number;
  readonly T: number;
  readonly D: number;
}

function layoutOf({ shape: [B, H, T, D] }: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): Layout {
  const G = k.shape[1];
  if (H % G !== 0 || `${k.shape}` !== `${[B, G, T, D]}` || `${v.shape}` !== `${k.shape}`) {
    throw new RangeError(`causalAttention: q [${[B, H, T, D]}], k [${k.shape}] and v [${v.shape}] do not fit together`);
  }
  return { B, G, R: H / G, T, D };
}

/** Queries `start` to `end`, and the keys they may see: 0 to `end`. W = end - start queries, S = end keys. */
interface Block {
  readonly layout: Layout;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Up to four blocks; narrower than 64 queries they cost more than they save. */
function blocksOf(layout: Layout): Block[] {
  const { T } = layout;
  const count = [4, 3, 2].find((n) => T % n === 0 && T / n >= 64) ?? 1;
  const size = T / count;
  return Array.from({ length: count }, (_, index) => ({ layout, index, start: index * size, end: (index + 1) * size }));
}

/** bool [R*W, S]: the key is not after the query. */
function visibleKeys({ layout: { R }, start, end }: Block): tf.Tensor {
  const size = end - start;
  const queries = Int32Array.from({ length: R * size }, (_, row) => start + (row % size));
  return tf.lessEqual(tf.range(0, end, 1, 'int32'), tf.tensor2d(queries, [R * size, 1]));
}

/** The block's scaled products of queries and keys, -1e30 where the key comes later: [B, G, R*W, S]. */
function scoresOf(block: Block, { q, k }: Tensors<'q' | 'k'>): tf.Tensor {
  const products = tf.matMul(takeRows(block, q), takeKeys(block, k), false, true); // [B, G, R*W, D] @ [B, G, D, S]
  return tf.where(visibleKeys(block), products, -1e30);
}

/** x with dropout, x [B, G, R*W, S]. Every block has noise of its own. */
function drop(
  x: tf.Tensor,
  seed: tf.Tensor,
  { index, rate = 0 }: { index: number; rate: number | undefined },
): tf.Tensor {
  if (rate === 0) return x;
  return tf.mul(x, dropoutMask(x.shape, { rate, seed: tf.add(seed, tf.tensor1d([0, index << 24], 'int32')) }));
}

/** The block's rows of y [B, G, R*W, D], and the logarithms of the sums that softmax divides by [B, G, R*W, 1]. */
function attend(
  block: Block,
  { q, k, v, seed }: Tensors<'q' | 'k' | 'v' | 'seed'>,
  rate: number | undefined,
): Tensors<'y' | 'logSum'> {
  const scores = scoresOf(block, { q, k });
  const max = tf.max(scores, -1, true);
  const e = tf.exp(tf.sub(scores, max));
  const sum = tf.sum(e, -1, true);
  const weighted = tf.matMul(drop(e, seed, { ...block, rate }), takeKeys(block, v)); // [B, G, R*W, S] @ [B, G, S, D]
  return { y: tf.div(weighted, sum), logSum: tf.add(max, tf.log(sum)) };
}

function attendGradient(
  block: Block,
  { q, k, v, seed, y, dy, logSum }: Tensors<'q' | 'k' | 'v' | 'seed' | 'y' | 'dy' | 'logSum'>,
  rate: number | undefined,
): Tensors<'dq' | 'dk' | 'dv'> {
  const noise = { ...block, rate };
  const p = tf.exp(tf.sub(scoresOf(block, { q, k }), logSum)); // [B, G, R*W, S]
  const dyRows = takeRows(block, dy);
  const shared = tf.sum(tf.mul(dyRows, takeRows(block, y)), -1, true); // [B, G, R*W, 1]
  const dp = drop(tf.matMul(dyRows, takeKeys(block, v), false, true), seed, noise);
  const ds = tf.mul(p, tf.sub(dp, shared));
  return {
    dq: tf.matMul(ds, takeKeys(block, k)), // [B, G, R*W, D]
    dk: tf.matMul(ds, takeRows(block, q), true, false), // [B, G, S, D]
    dv: tf.matMul(drop(p, seed, noise), dyRows, true, false), // [B, G, S, D]
  };
}

/** The block's queries of [B, H, T, D], those of heads that share a key head below one another: [B, G, R*W, D]. */
function takeRows({ layout: { B, G, R, T, D }, start, end }: Block, x: tf.Tensor): tf.Tensor {
  const rows = [B, G, R * (end - start), D];
  if (end - start === T) return tf.reshape(x, rows);
  return tf.reshape(tf.slice(tf.reshape(x, [B * G, R, T, D]), [0, 0, start, 0], [B * G, R, end - start, D]), rows);
}

/** The inverse of taking the rows of each block: [B, H, T, D]. */
function joinRows({ B, G, R, T, D }: Layout, parts: readonly tf.Tensor[]): tf.Tensor {
  const whole = [B, G * R, T, D];
  const [first] = parts;
  if (parts.length === 1 && first) return tf.reshape(first, whole);
  const size = T / parts.length;
  return tf.reshape(
    tf.concat(
      parts.map((part) => tf.reshape(part, [B * G, R, size, D])),
      2,
    ),
    whole,
  );
}

const takeKeys = ({ layout: { B, G, T, D }, end }: Block, x: tf.Tensor): tf.Tensor =>
  end === T ? x : tf.slice(x, [0, 0, 0, 0], [B, G, end, D]);

/** The sum of gradients of the first keys, each [B, G, end, D]: [B, G, T, D]. */
function addKeys({ T }: Layout, parts: readonly tf.Tensor[]): tf.Tensor {
  const padded = parts.map((part) => {
    const missing = T - (part.shape[2] ?? T);
    return missing === 0
      ? part
      : tf.pad(part, [
          [0, 0],
          [0, 0],
          [0, missing],
          [0, 0],
        ]);
  });
  return padded.reduce((sum, part) => tf.add(sum, part));
}
