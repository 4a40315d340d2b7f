// What a parameter of a model is, before there are values and on the engine.
import type { tf } from '#lib/tensor/tfjs.ts';

/** A tensor of a model: its fresh values are all `fill`, or normal with standard deviation `std`. */
export type ParamSpec = { name: string; shape: readonly number[] } & ({ fill: 0 | 1 } | { std: number });

/** Parameters on the engine, by name. */
export type Params = Readonly<Record<string, tf.Tensor>>;
