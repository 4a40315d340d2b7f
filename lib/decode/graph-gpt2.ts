// The decode graph of GPT-2's architecture, in ONNX Runtime's fused operators. Its constants are the model's own tensors under
// their own names: nothing is copied or transposed. Without biases ("bias": false) the optional inputs stay empty.
import type { GptConfig } from '#lib/model/config.ts';
import { attention, headLayout } from './attention.ts';
import { addHead, addInputs, createGraphBuilder, type GraphWeights, microsoft, names } from './graph.ts';
import type { OnnxGraph } from './onnx.ts';

export function gpt2Graph(config: GptConfig, weights: GraphWeights): OnnxGraph {
  const { nLayer, nEmbd: C, nInner, normEpsilon, vocabSize, contextSize } = config;
  const graph = createGraphBuilder(weights);
  addInputs(graph);
  graph.input({ name: names.positions, type: 'int64', shape: ['tokens'] });
  const bias = (name: string, size: number) => graph.optionalWeight(`${name}.bias`, [size]);
  const scaleAndShift = (norm: string) => [graph.weight(`${norm}.weight`, [C]), bias(norm, C)];
  /** A linear layer but for its bias, which the operator after it adds: [B, S, inner] @ [inner, out] -> [B, S, out]. */
  const product = (x: string, name: string, shape: readonly [inner: number, out: number]) =>
    graph.node('MatMul', [x, graph.weight(`${name}.weight`, shape)], `${name}.product`);
  const epsilon = { epsilon: { float: normEpsilon } };
  /** Adds a branch, and the bias that it still lacks, to the residual stream, and normalises the sum. */
  const addAndNorm = (stream: string, branch: { product: string; bias: string }, norm: string) => {
    const sum = `${norm}.sum`;
    const inputs = [stream, branch.product, ...scaleAndShift(norm), branch.bias];
    const options = { domain: microsoft, attributes: epsilon } as const;
    graph.node('SkipLayerNormalization', inputs, [norm, '', '', sum], options);
    return { normed: norm, sum };
  };
  const attend = (x: string, block: string, layer: number) => {
    const qkvProduct = product(x, `${block}.c_attn`, [C, 3 * C]); // [B, S, 3C]
    const qkvBias = bias(`${block}.c_attn`, 3 * C);
    const qkv = qkvBias ? graph.node('Add', [qkvProduct, qkvBias], `${block}.c_attn`) : qkvProduct;
    const mixed = attention(graph, [qkv], block, { ...headLayout(config), layer }); // [B, S, C]
    return { product: product(mixed, `${block}.c_proj`, [C, C]), bias: bias(`${block}.c_proj`, C) };
  };
  const feedForward = (x: string, block: string) => {
    const wide = [product(x, `${block}.c_fc`, [C, nInner]), bias(`${block}.c_fc`, nInner)];
    const active = graph.node('FastGelu', wide, `${block}.gelu`, { domain: microsoft }); // [B, S, nInner]
    return { product: product(active, `${block}.c_proj`, [nInner, C]), bias: bias(`${block}.c_proj`, C) };
  };

  const tokens = graph.node('Gather', [graph.weight('wte.weight', [vocabSize, C]), names.ids], 'tokens.embedded');
  const placesTable = graph.weight('wpe.weight', [contextSize, C]);
  const places = graph.node('Gather', [placesTable, names.positions], 'positions.embedded'); // [S, C]
  const embedded = graph.node('Add', [tokens, places], 'embedded'); // [B, S, C]
  const first = 'h.0.ln_1';
  const attributes = { ...epsilon, axis: { int: -1 } };
  graph.node('LayerNormalization', [embedded, ...scaleAndShift(first)], first, { attributes });
  let at = { normed: first, sum: embedded };
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `h.${layer}`;
    at = addAndNorm(at.sum, attend(at.normed, `${block}.attn`, layer), `${block}.ln_2`);
    const next = layer + 1 < nLayer ? `h.${layer + 1}.ln_1` : 'ln_f';
    at = addAndNorm(at.sum, feedForward(at.normed, `${block}.mlp`), next);
  }
  addHead(graph, at.normed, { ...config, embeddings: 'wte.weight' });
  return graph.build();
}
