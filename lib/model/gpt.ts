// GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks of causal attention and a feed-forward part, the output
// tied to the input embedding. Linear weights lie as [in, out] (Hugging Face's Conv1D). B rows, T tokens, C = nEmbd, H heads.
import { tf } from '#lib/tensor/tfjs.ts';
import type { GptConfig } from './config.ts';
import type { ForwardOptions } from './forward.ts';
import { causalAttention, createDropout, embed, gelu, layerNorm, mergeHeads, splitHeads } from './layers.ts';
import type { ParamSpec, Params } from './params.ts';

/** nanoGPT's initialisation: 0.02, and what writes into the residual stream divided by sqrt(2 nLayer). */
export function gptParams(config: GptConfig): ParamSpec[] {
  const { vocabSize, contextSize, nLayer, nEmbd, nInner, initStd: std, tied, labels, bias } = config;
  const residualStd = std / Math.sqrt(2 * nLayer);
  const withBias = (name: string, weight: ParamSpec, size: number): ParamSpec[] =>
    bias ? [weight, { name: `${name}.bias`, shape: [size], fill: 0 }] : [weight];
  const norm = (name: string) => withBias(name, { name: `${name}.weight`, shape: [nEmbd], fill: 1 }, nEmbd);
  const linear = (name: string, [inner, outer]: [number, number], spread = std) =>
    withBias(name, { name: `${name}.weight`, shape: [inner, outer], std: spread }, outer);
  const block = (name: string) => [
    ...norm(`${name}.ln_1`),
    ...linear(`${name}.attn.c_attn`, [nEmbd, 3 * nEmbd]),
    ...linear(`${name}.attn.c_proj`, [nEmbd, nEmbd], residualStd),
    ...norm(`${name}.ln_2`),
    ...linear(`${name}.mlp.c_fc`, [nEmbd, nInner]),
    ...linear(`${name}.mlp.c_proj`, [nInner, nEmbd], residualStd),
  ];
  return [
    { name: 'wte.weight', shape: [vocabSize, nEmbd], std },
    { name: 'wpe.weight', shape: [contextSize, nEmbd], std },
    ...Array.from({ length: nLayer }, (_, i) => block(`h.${i}`)).flat(),
    ...norm('ln_f'),
    ...(tied || labels ? [] : [{ name: 'lm_head.weight', shape: [vocabSize, nEmbd], std }]),
  ];
}

/** Token ids [B, T] to states [B * T, C] after the final norm. */
export function gptForward(
  config: GptConfig,
  params: Params,
  ids: tf.Tensor2D,
  options: ForwardOptions = {},
): tf.Tensor2D {
  const { nLayer, nHead, nEmbd, normEpsilon: epsilon } = config;
  const [B, T] = ids.shape;
  const drop = createDropout(options);
  const weight = (name: string) => params[`${name}.weight`] as tf.Tensor;
  const bias = (name: string) => params[`${name}.bias`]; // absent where the configuration has no biases
  const norm = (x: tf.Tensor2D, name: string): tf.Tensor2D =>
    layerNorm(x, { weight: weight(name), bias: bias(name), epsilon });
  const linear = (x: tf.Tensor2D, name: string): tf.Tensor2D => {
    const y = tf.matMul<tf.Tensor2D>(x, weight(name));
    const shift = bias(name);
    return shift ? y.add(shift) : y;
  };

  const attention = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const qkv = tf.split(linear(x, `${block}.attn.c_attn`), 3, 1); // [B*T, 3C] -> 3 x [B*T, C]
    const [q, k, v] = qkv.map((part) => splitHeads(part, { B, T, H: nHead })); // 3 x [B, H, T, D]
    const y = causalAttention({ q, k, v } as Record<'q' | 'k' | 'v', tf.Tensor4D>, drop); // [B, H, T, D]
    return linear(mergeHeads(y), `${block}.attn.c_proj`); // [B*T, C]
  };
  const feedForward = (x: tf.Tensor2D, block: string): tf.Tensor2D =>
    linear(gelu(linear(x, `${block}.mlp.c_fc`)), `${block}.mlp.c_proj`); // [B*T, C] -> [B*T, 4C] -> [B*T, C]

  const tokens = embed(weight('wte'), ids).reshape([B, T, nEmbd]);
  let x = drop(tokens.add(weight('wpe').slice(0, T))).reshape<tf.Tensor2D>([B * T, nEmbd]); // [B, T, C] + [T, C] -> [B*T, C]
  for (let i = 0; i < nLayer; i++) {
    x = x.add(drop(attention(norm(x, `h.${i}.ln_1`), `h.${i}`)));
    x = x.add(drop(feedForward(norm(x, `h.${i}.ln_2`), `h.${i}`)));
  }
  return norm(x, 'ln_f');
}
