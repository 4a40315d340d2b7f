// One forward pass for every architecture: what training, evaluation and serving share.
import { linear } from '#lib/tensor/ops.ts';
import { tf } from '#lib/tensor/tfjs.ts';
import type { ModelConfig } from './config.ts';
import { gptForward } from './gpt.ts';
import type { Noise } from './layers.ts';
import { llamaForward } from './llama.ts';
import type { Params } from './param-spec.ts';

/** Token ids [B, T] to the states [B*T, C] that a head reads. With noise, values are dropped: training only. */
export function forward(config: ModelConfig, params: Params, ids: tf.Tensor2D, noise?: Noise): tf.Tensor2D {
  const T = ids.shape[1];
  if (T > config.contextSize)
    throw new RangeError(`forward: ${T} tokens, but the model's context is ${config.contextSize}`);
  switch (config.modelType) {
    case 'gpt2':
      return gptForward(config, params, ids, noise);
    case 'llama':
      return llamaForward(config, params, ids, noise);
    default:
      return config satisfies never;
  }
}

/** States [N, C] to logits over the vocabulary [N, V]. */
export function tokenLogits(config: ModelConfig, params: Params, states: tf.Tensor2D): tf.Tensor2D {
  const embedding = config.modelType === 'gpt2' ? 'wte.weight' : 'model.embed_tokens.weight';
  const output = params[config.tied ? embedding : 'lm_head.weight'] as tf.Tensor2D; // [V, C]
  return linear(states, output, { transposed: true });
}

/** States [B*T, C] to class logits [B, labels], read from each row's last real token. */
export function classLogits(params: Params, states: tf.Tensor2D, lengths: tf.Tensor1D): tf.Tensor2D {
  return linear(lastStates(states, lengths), params['score.weight'] as tf.Tensor2D, { transposed: true });
}

/** The logits that a batch is judged by: class logits where rows have lengths, else those of every position. */
export const headLogits = (
  config: ModelConfig,
  params: Params,
  states: tf.Tensor2D,
  lengths?: tf.Tensor1D,
): tf.Tensor2D => (lengths ? classLogits(params, states, lengths) : tokenLogits(config, params, states));

/** Of states [B*T, C], those of each row's last real token: [B, C]. */
export function lastStates(states: tf.Tensor2D, lengths: tf.Tensor1D): tf.Tensor2D {
  const B = lengths.shape[0];
  const T = states.shape[0] / B;
  const rowStarts = tf.range(0, B, 1, 'int32').mul(tf.scalar(T, 'int32'));
  return tf.gather(states, rowStarts.add(lengths).sub(tf.scalar(1, 'int32')).cast('int32') as tf.Tensor1D);
}
