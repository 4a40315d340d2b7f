// Which tensors a model has, by their Hugging Face names; fresh ones; and the way between files' weights and the engine.
import { tf } from '#lib/tensor/tfjs.ts';
import type { ModelConfig } from './config.ts';
import { gptParams } from './gpt.ts';
import { llamaParams } from './llama.ts';
import type { ParamSpec, Params } from './param-spec.ts';
import { normalValues } from './random.ts';
import { getWeight, sizeOf, type Weights, weightTensor } from './weights.ts';

/** All tensors of a model in the order they are stored. */
export function paramSpecs(config: ModelConfig): ParamSpec[] {
  const specs = config.modelType === 'gpt2' ? gptParams(config) : llamaParams(config);
  return config.labels ? [...specs, headSpec(config)] : specs;
}

const headSpec = ({ labels = [], nEmbd, initStd }: ModelConfig): ParamSpec => ({
  name: 'score.weight',
  shape: [labels.length, nEmbd],
  std: initStd,
});

/** Fresh weights: a function of the configuration and the seed alone. */
export function initWeights(config: ModelConfig, seed: number): Weights {
  return new Map(paramSpecs(config).map((spec) => [spec.name, freshTensor(spec, seed)]));
}

function freshTensor(spec: ParamSpec, seed: number) {
  const size = sizeOf(spec.shape);
  const data =
    'fill' in spec
      ? new Float32Array(size).fill(spec.fill)
      : normalValues(size, { seed, stream: spec.name, std: spec.std });
  return weightTensor(spec.shape, data);
}

/** Throws RangeError unless `weights` has exactly the model's tensors in their shapes. */
export function checkWeights(config: ModelConfig, weights: Weights): void {
  const specs = paramSpecs(config);
  for (const { name, shape } of specs) getWeight(weights, name, shape);
  const known = new Set(specs.map(({ name }) => name));
  const extra = [...weights.keys()].filter((name) => !known.has(name));
  if (extra.length > 0)
    throw new RangeError(`weights: ${extra.join(', ')}: no such tensor in this ${config.modelType}`);
}

/**
 * A base model's weights for a model of this configuration: a classifier gets a fresh head where there is none, and does
 * without the output matrix.
 */
export function completeWeights(config: ModelConfig, base: Weights, seed: number): Weights {
  if (!config.labels) return base;
  const head = headSpec(config);
  const body = [...base].filter(([name]) => name !== 'lm_head.weight');
  return new Map([...body, [head.name, base.get(head.name) ?? freshTensor(head, seed)]]);
}

/** Copies weights to the engine. The caller disposes the tensors. */
export function toParams(weights: Weights): Record<string, tf.Tensor> {
  return Object.fromEntries(
    [...weights].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape], 'float32')]),
  );
}

/** Copies parameters from the engine. */
export function fromParams(params: Params): Weights {
  const copy = (tensor: tf.Tensor) => weightTensor(tensor.shape, tensor.dataSync<'float32'>());
  return new Map(Object.entries(params).map(([name, tensor]) => [name, copy(tensor)]));
}

/** Names of the weights of the last `n` blocks, the final norm and the head. */
export const inLastLayers =
  (config: ModelConfig, n: number) =>
  (name: string): boolean => {
    const block = /(?:^h|^model\.layers)\.(\d+)\./.exec(name);
    if (block) return Number(block[1]) >= config.nLayer - n;
    return /^(ln_f|model\.norm|lm_head|score)\./.test(name);
  };
