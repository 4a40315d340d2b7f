// What the decode graphs of all architectures share: a builder, and the ends of the graph that decoder.ts binds.
// B rows, S new tokens a row, R wanted places, C width, V outputs, G key/value heads, D head size, M places in the cache.
import type { Attribute, Initializer, OnnxGraph, OnnxNode, ValueInfo } from './onnx.ts';

/** Inputs and outputs of a decode graph. */
export const names = {
  /** int64 [B, S] */
  ids: 'ids',
  /** int64 [S]: the new tokens' places in their sequence; only for learned positions. */
  positions: 'positions',
  /** int64 [R]: which of the S new tokens get logits. */
  wanted: 'wanted',
  /** int32 [B]: the place of each row's last token. */
  lastPositions: 'last_positions',
  /** int32 [1]: tokens in the longest row, the new ones included. */
  totalLength: 'total_length',
  /** float32 [B, R, V] */
  logits: 'logits',
  /** float32 [B, G, M, D]; past and present may be the same memory, which is then extended in place. */
  past: (layer: number, part: CachePart): string => `past.${layer}.${part}`,
  present: (layer: number, part: CachePart): string => `present.${layer}.${part}`,
} as const;

export const cacheParts = ['key', 'value'] as const;
export type CachePart = (typeof cacheParts)[number];

/** A model's tensors by their own names: all in memory (lib/model's `Weights` fit), or all in a file that is mapped (mapped-weights.ts). */
export interface GraphWeights {
  readonly tensors: ReadonlyMap<string, Initializer>;
  readonly file?: string | undefined;
}

/** ONNX Runtime's own operators. */
export const microsoft = 'com.microsoft';

interface NodeOptions {
  readonly domain?: OnnxNode['domain'];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface GraphBuilder {
  input(value: ValueInfo): string;
  output(value: ValueInfo): string;
  /** A tensor of the model, under its own name. Throws RangeError where it is missing or has another shape. */
  weight(name: string, shape: readonly number[]): string;
  /** The same, or '' where the model has none of that name. */
  optionalWeight(name: string, shape: readonly number[]): string;
  constant(name: string, tensor: Initializer): string;
  /** Adds a node; gives the name of its first output. */
  node(op: string, inputs: readonly string[], output: string | readonly string[], options?: NodeOptions): string;
  /** An int64 constant that the graph carries itself. */
  integers(values: readonly number[], name: string): string;
  build(): OnnxGraph;
}

export function createGraphBuilder({ tensors, file }: GraphWeights): GraphBuilder {
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, Initializer>();
  const declare = (list: ValueInfo[]) => (value: ValueInfo) => {
    list.push(value);
    return value.name;
  };
  const constant = (name: string, tensor: Initializer): string => {
    initializers.set(name, tensor);
    return name;
  };
  const weight = (name: string, shape: readonly number[]): string => {
    const tensor = tensors.get(name);
    if (!tensor) throw new RangeError(`weights: no tensor named "${name}" among ${tensors.size}`);
    if (String(tensor.shape) === String(shape)) return constant(name, tensor);
    throw new RangeError(`weights: "${name}" is [${tensor.shape}], expected [${shape}]`);
  };
  const node: GraphBuilder['node'] = (op, from, to, { domain = '', attributes = {} } = {}) => {
    const results = typeof to === 'string' ? [to] : to;
    // Absent inputs at the end have to be left away: a LayerNormalization whose last one is '' crashes.
    const given = from.slice(0, from.findLastIndex((name) => name !== '') + 1);
    nodes.push({ op, domain, inputs: given, outputs: results, attributes });
    return results[0] as string;
  };
  return {
    input: declare(inputs),
    output: declare(outputs),
    weight,
    optionalWeight: (name, shape) => (tensors.has(name) ? weight(name, shape) : ''),
    constant,
    node,
    integers: (values, name) => node('Constant', [], name, { attributes: { value_ints: { ints: values } } }),
    build: () => ({ inputs, outputs, nodes, initializers, file }),
  };
}

/** x @ W^T, for weights that lie as [out, in]: [B, S, in] -> [B, S, out]. */
export const matMulTransposed = (graph: GraphBuilder, [x, w]: readonly [string, string], name: string): string =>
  graph.node('FusedMatMul', [x, w], name, { domain: microsoft, attributes: { transB: { int: 1 } } });

/** Declares the inputs that every graph has. */
export function addInputs(graph: GraphBuilder): void {
  graph.input({ name: names.ids, type: 'int64', shape: ['batch', 'tokens'] });
  graph.input({ name: names.wanted, type: 'int64', shape: ['wanted'] });
  graph.input({ name: names.lastPositions, type: 'int32', shape: ['batch'] });
  graph.input({ name: names.totalLength, type: 'int32', shape: [1] });
}

export interface HeadOptions {
  readonly nEmbd: number;
  readonly vocabSize: number;
  readonly tied: boolean;
  readonly labels?: readonly string[] | undefined;
  /** The input matrix, which is the output's too where they are tied. */
  readonly embeddings: string;
}

/** Logits of the wanted places over the vocabulary, or over a classifier's classes: [B, S, C] -> [B, R, V]. */
export function addHead(graph: GraphBuilder, states: string, options: HeadOptions): void {
  const { nEmbd, vocabSize, tied, labels, embeddings } = options;
  const outputs = labels?.length ?? vocabSize;
  const head = labels ? 'score.weight' : tied ? embeddings : 'lm_head.weight';
  const wanted = graph.node('Gather', [states, names.wanted], 'wanted_states', { attributes: { axis: { int: 1 } } });
  matMulTransposed(graph, [wanted, graph.weight(head, [outputs, nEmbd])], names.logits);
  graph.output({ name: names.logits, type: 'float32', shape: ['batch', 'wanted', outputs] });
}
