// Attention over the cache, in ONNX Runtime's GroupQueryAttention, which takes heads of certain sizes only: others are filled up
// with zeros, which change no product. H query heads, G key/value heads of size D, which the operator sees as P >= D.
import { headSizeOf, type ModelConfig } from '#lib/model/config.ts';
import { cacheParts, type GraphBuilder, microsoft, names } from './graph.ts';

/** Queries, keys and values: apart, or side by side in one. */
export type AttentionInputs = readonly [q: string, k: string, v: string] | readonly [qkv: string];

export interface HeadLayout {
  readonly nHead: number;
  readonly nKvHead: number;
  readonly headSize: number;
  /** P */
  readonly paddedSize: number;
  /** The halves of a head are filled up each for itself: rotary positions turn (i, i + P / 2). */
  readonly isRotary: boolean;
}

export function headLayout(config: ModelConfig): HeadLayout {
  const isRotary = config.modelType === 'llama';
  const headSize = headSizeOf(config);
  const step = isRotary ? 16 : 8;
  const paddedSize = Math.ceil(headSize / step) * step;
  const nKvHead = isRotary ? config.nKvHead : config.nHead;
  return { nHead: config.nHead, nKvHead, headSize, paddedSize, isRotary };
}

export interface AttentionOptions extends HeadLayout {
  readonly layer: number;
  /** cos and sin of rotary positions, each [contextSize, P / 2]. */
  readonly tables?: readonly [cos: string, sin: string];
}

/** Adds the new tokens to the cache and lets them attend to it: [B, S, H*D] each (or [B, S, (H + 2G) D]) -> [B, S, H*D]. */
export function attention(
  graph: GraphBuilder,
  inputs: AttentionInputs,
  name: string,
  { layer, tables = ['', ''], ...layout }: AttentionOptions,
): string {
  const { nHead, nKvHead, headSize, paddedSize } = layout;
  const [query, key = '', value = ''] = inputs.map((input) => pad(graph, input, layout));
  const shape = ['batch', nKvHead, 'capacity', paddedSize];
  const past = cacheParts.map((part) => graph.input({ name: names.past(layer, part), type: 'float32', shape }));
  const present = cacheParts.map((part) => graph.output({ name: names.present(layer, part), type: 'float32', shape }));
  const lengths = [names.lastPositions, names.totalLength];
  const attributes = {
    num_heads: { int: nHead },
    kv_num_heads: { int: nKvHead },
    scale: { float: headSize ** -0.5 },
    do_rotary: { int: layout.isRotary ? 1 : 0 },
    rotary_interleaved: { int: 0 }, // pairs are halves of a head apart, as in Hugging Face's weights
  };
  const options = { domain: microsoft, attributes } as const;
  graph.node(
    'GroupQueryAttention',
    [query as string, key, value, ...past, ...lengths, ...tables],
    [name, ...present],
    options,
  );
  return unpad(graph, name, layout);
}

/** The pieces that are filled up: heads, or their halves. */
function pieces({ headSize, paddedSize, isRotary }: HeadLayout): { size: number; padded: number } {
  return isRotary ? { size: headSize / 2, padded: paddedSize / 2 } : { size: headSize, padded: paddedSize };
}

function pad(graph: GraphBuilder, x: string, layout: HeadLayout): string {
  const { size, padded } = pieces(layout);
  if (size === padded) return x;
  const apart = reshape(graph, x, [0, 0, -1, size]); // [B, S, pieces, size]
  const amounts = graph.integers([0, 0, 0, 0, 0, 0, 0, padded - size], `${x}.padding`);
  const filled = graph.node('Pad', [apart, amounts], `${x}.padded`); // [B, S, pieces, padded]
  return reshape(graph, filled, [0, 0, -1]);
}

function unpad(graph: GraphBuilder, x: string, layout: HeadLayout): string {
  const { size, padded } = pieces(layout);
  if (size === padded) return x;
  const apart = reshape(graph, x, [0, 0, -1, padded]); // [B, S, pieces, padded]
  const range = [[0], [size], [3]].map((values, i) => graph.integers(values, `${x}.range.${i}`)); // start, end, axis
  return reshape(graph, graph.node('Slice', [apart, ...range], `${x}.cut`), [0, 0, -1]);
}

/** 0: as it is, -1: what is left. */
function reshape(graph: GraphBuilder, x: string, shape: readonly number[]): string {
  const name = `${x}.reshaped`;
  return graph.node('Reshape', [x, graph.integers(shape, `${name}.shape`)], name);
}
