// Llama (Touvron et al. 2023): root-mean-square norms, rotary positions, grouped-query attention (Ainslie et al. 2023) and
// SwiGLU (Shazeer 2020). Linear weights lie as [out, in]. B rows, T tokens, C = nEmbd, H query heads, G key/value heads.
import { tf } from '#lib/tensor/tfjs.ts';
import type { LlamaConfig } from './config.ts';
import type { ForwardOptions } from './forward.ts';
import {
  causalAttention,
  createDropout,
  embed,
  mergeHeads,
  repeatHeads,
  rmsNorm,
  rotaryTables,
  rotate,
  silu,
  splitHeads,
} from './layers.ts';
import type { ParamSpec, Params } from './params.ts';

export function llamaParams(config: LlamaConfig): ParamSpec[] {
  const { vocabSize, nLayer, nHead, nKvHead, headSize, nEmbd, nInner, initStd: std, tied, labels } = config;
  const block = (name: string): ParamSpec[] => [
    { name: `${name}.input_layernorm.weight`, shape: [nEmbd], fill: 1 },
    { name: `${name}.self_attn.q_proj.weight`, shape: [nHead * headSize, nEmbd], std },
    { name: `${name}.self_attn.k_proj.weight`, shape: [nKvHead * headSize, nEmbd], std },
    { name: `${name}.self_attn.v_proj.weight`, shape: [nKvHead * headSize, nEmbd], std },
    { name: `${name}.self_attn.o_proj.weight`, shape: [nEmbd, nHead * headSize], std },
    { name: `${name}.post_attention_layernorm.weight`, shape: [nEmbd], fill: 1 },
    { name: `${name}.mlp.gate_proj.weight`, shape: [nInner, nEmbd], std },
    { name: `${name}.mlp.up_proj.weight`, shape: [nInner, nEmbd], std },
    { name: `${name}.mlp.down_proj.weight`, shape: [nEmbd, nInner], std },
  ];
  return [
    { name: 'model.embed_tokens.weight', shape: [vocabSize, nEmbd], std },
    ...Array.from({ length: nLayer }, (_, i) => block(`model.layers.${i}`)).flat(),
    { name: 'model.norm.weight', shape: [nEmbd], fill: 1 },
    ...(tied || labels ? [] : [{ name: 'lm_head.weight', shape: [vocabSize, nEmbd], std }]),
  ];
}

/** Token ids [B, T] to states [B * T, C] after the final norm. */
export function llamaForward(
  config: LlamaConfig,
  params: Params,
  ids: tf.Tensor2D,
  options: ForwardOptions = {},
): tf.Tensor2D {
  const { nLayer, nHead, nKvHead, headSize, normEpsilon: epsilon, ropeTheta: theta } = config;
  const [B, T] = ids.shape;
  const rotary = rotaryTables(T, { headSize, theta });
  const drop = createDropout(options);
  const weight = (name: string) => params[`${name}.weight`] as tf.Tensor;
  const norm = (x: tf.Tensor2D, name: string) => rmsNorm(x, { weight: weight(name), epsilon });
  const linear = (x: tf.Tensor2D, name: string): tf.Tensor2D => tf.matMul(x, weight(name), false, true);

  const attention = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const heads = (name: string, H: number) => splitHeads(linear(x, `${block}.self_attn.${name}`), { B, T, H });
    const q = rotate(heads('q_proj', nHead), rotary); // [B, H, T, D]
    const k = repeatHeads(rotate(heads('k_proj', nKvHead), rotary), nHead / nKvHead); // [B, G, T, D] -> [B, H, T, D]
    const v = repeatHeads(heads('v_proj', nKvHead), nHead / nKvHead); // [B, H, T, D]
    const y = causalAttention({ q, k, v }, drop); // [B, H, T, D]
    return linear(mergeHeads(y), `${block}.self_attn.o_proj`); // [B*T, H*D] -> [B*T, C]
  };
  const feedForward = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const gated = silu(linear(x, `${block}.mlp.gate_proj`)).mul(linear(x, `${block}.mlp.up_proj`)) as tf.Tensor2D;
    return linear(gated, `${block}.mlp.down_proj`); // [B*T, C] -> [B*T, nInner] -> [B*T, C]
  };

  let x = embed(weight('model.embed_tokens'), ids); // [B*T, C]
  for (let i = 0; i < nLayer; i++) {
    const block = `model.layers.${i}`;
    x = x.add(drop(attention(norm(x, `${block}.input_layernorm`), block)));
    x = x.add(drop(feedForward(norm(x, `${block}.post_attention_layernorm`), block)));
  }
  return norm(x, 'model.norm');
}
