// Llama (Touvron et al. 2023): root-mean-square norms, rotary positions, grouped-query attention (Ainslie et al. 2023) and
// SwiGLU (Shazeer 2020). Linear weights lie as [out, in]. B rows, T tokens, C = nEmbd, H query heads, G key/value heads.
import { causalAttention } from '#lib/tensor/attention.ts';
import { embedding, linear, rmsNorm, silu } from '#lib/tensor/ops.ts';
import { rotaryTables, rotate } from '#lib/tensor/rotary.ts';
import type { tf } from '#lib/tensor/tfjs.ts';
import type { LlamaConfig } from './config.ts';
import { createDropout, mergeHeads, type Noise, splitHeads } from './layers.ts';
import type { ParamSpec, Params } from './param-spec.ts';

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

/** Token ids [B, T] to states [B*T, C] after the final norm. */
export function llamaForward(config: LlamaConfig, params: Params, ids: tf.Tensor2D, noise?: Noise): tf.Tensor2D {
  const { nLayer, nHead, nKvHead, headSize, normEpsilon: epsilon, ropeTheta: theta } = config;
  const [B, T] = ids.shape;
  const rotary = rotaryTables(T, { headSize, theta });
  const drop = createDropout(noise);
  const weight = <W extends tf.Tensor>(name: string) => params[`${name}.weight`] as W;
  const norm = (x: tf.Tensor2D, name: string) => rmsNorm(x, { weight: weight(name), epsilon });
  const project = (x: tf.Tensor2D, name: string) => linear(x, weight(name), { transposed: true });

  const attention = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const heads = (name: string, H: number) => splitHeads(project(x, `${block}.self_attn.${name}`), { B, T, H });
    const q = rotate(heads('q_proj', nHead), rotary); // [B, H, T, D]
    const k = rotate(heads('k_proj', nKvHead), rotary); // [B, G, T, D]
    const v = heads('v_proj', nKvHead); // [B, G, T, D]
    const y = causalAttention({ q, k, v, dropout: drop.next() }); // [B, H, T, D]
    return project(mergeHeads(y), `${block}.self_attn.o_proj`); // [B*T, H*D] -> [B*T, C]
  };
  const feedForward = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const gate = silu(project(x, `${block}.mlp.gate_proj`)); // [B*T, C] -> [B*T, nInner]
    return project(gate.mul(project(x, `${block}.mlp.up_proj`)), `${block}.mlp.down_proj`); // -> [B*T, C]
  };

  let x = embedding(weight('model.embed_tokens'), ids); // [B*T, C]
  for (let i = 0; i < nLayer; i++) {
    const block = `model.layers.${i}`;
    x = x.add(drop(attention(norm(x, `${block}.input_layernorm`), block)));
    x = x.add(drop(feedForward(norm(x, `${block}.post_attention_layernorm`), block)));
  }
  return norm(x, 'model.norm');
}
