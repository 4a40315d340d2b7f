// The decode graph of the Llama architecture, in ONNX Runtime's fused operators. Its constants are the model's own tensors under
// their own names: nothing is copied or transposed.
import type { LlamaConfig } from '#lib/model/config.ts';
import { attention, headLayout } from './attention.ts';
import {
  addHead,
  addInputs,
  createGraphBuilder,
  type GraphBuilder,
  type GraphWeights,
  matMulTransposed,
  microsoft,
  names,
} from './graph.ts';
import type { OnnxGraph } from './onnx.ts';

export function llamaGraph(config: LlamaConfig, weights: GraphWeights): OnnxGraph {
  const { nLayer, nHead, nKvHead, headSize, nEmbd: C, nInner, normEpsilon, vocabSize } = config;
  const graph = createGraphBuilder(weights);
  addInputs(graph);
  const layout = headLayout(config);
  const tables = addRotaryTables(graph, config, layout.paddedSize / 2);
  const norm = (name: string) => graph.weight(`${name}.weight`, [C]);
  const linear = (x: string, name: string, shape: readonly [out: number, inner: number]) =>
    matMulTransposed(graph, [x, graph.weight(`${name}.weight`, shape)], name);
  const epsilon = { epsilon: { float: normEpsilon } };
  /** Adds a branch to the residual stream, and normalises the sum. */
  const addAndNorm = (stream: string, branch: string, name: string) => {
    const sum = `${name}.sum`;
    const options = { domain: microsoft, attributes: epsilon } as const;
    graph.node('SkipSimplifiedLayerNormalization', [stream, branch, norm(name)], [name, '', '', sum], options);
    return { normed: name, sum };
  };
  const attend = (x: string, block: string, layer: number) => {
    const q = linear(x, `${block}.q_proj`, [nHead * headSize, C]);
    const k = linear(x, `${block}.k_proj`, [nKvHead * headSize, C]);
    const v = linear(x, `${block}.v_proj`, [nKvHead * headSize, C]);
    const mixed = attention(graph, [q, k, v], block, { ...layout, layer, tables }); // [B, S, H*D]
    return linear(mixed, `${block}.o_proj`, [C, nHead * headSize]);
  };
  const feedForward = (x: string, block: string) => {
    const silu = { domain: microsoft, attributes: { alpha: { float: 1 } } } as const; // QuickGelu: x * sigmoid(alpha x)
    const gate = graph.node('QuickGelu', [linear(x, `${block}.gate_proj`, [nInner, C])], `${block}.gate`, silu);
    const gated = graph.node('Mul', [gate, linear(x, `${block}.up_proj`, [nInner, C])], `${block}.gated`);
    return linear(gated, `${block}.down_proj`, [C, nInner]); // [B, S, nInner] -> [B, S, C]
  };

  const embeddings = graph.weight('model.embed_tokens.weight', [vocabSize, C]);
  const embedded = graph.node('Gather', [embeddings, names.ids], 'embedded'); // [B, S, C]
  const first = 'model.layers.0.input_layernorm';
  const attributes = { ...epsilon, axis: { int: -1 }, stash_type: { int: 1 } };
  graph.node('SimplifiedLayerNormalization', [embedded, norm(first)], first, { attributes });
  let at = { normed: first, sum: embedded };
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `model.layers.${layer}`;
    at = addAndNorm(at.sum, attend(at.normed, `${block}.self_attn`, layer), `${block}.post_attention_layernorm`);
    const next = layer + 1 < nLayer ? `model.layers.${layer + 1}.input_layernorm` : 'model.norm';
    at = addAndNorm(at.sum, feedForward(at.normed, `${block}.mlp`), next);
  }
  addHead(graph, at.normed, { ...config, embeddings: 'model.embed_tokens.weight' });
  return graph.build();
}

/** cos and sin of the angles of every position, [contextSize, width]; beyond headSize / 2 there is nothing to turn. */
function addRotaryTables(
  graph: GraphBuilder,
  { contextSize, headSize, ropeTheta }: LlamaConfig,
  width: number,
): readonly [cos: string, sin: string] {
  const half = headSize / 2;
  const frequencies = Float64Array.from({ length: width }, (_, i) => (i < half ? ropeTheta ** (-i / half) : 0));
  const table = (name: string, f: (angle: number) => number): string => {
    const data = new Float32Array(contextSize * width);
    for (let i = 0; i < data.length; i++) data[i] = f(Math.floor(i / width) * (frequencies[i % width] as number));
    return graph.constant(name, { shape: [contextSize, width], data });
  };
  return [table('rotary.cos', Math.cos), table('rotary.sin', Math.sin)];
}
