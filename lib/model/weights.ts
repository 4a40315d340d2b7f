// The one in-memory form of a model's weights: Hugging Face tensor names to float32 arrays. Loaders, the trainer and the
// decode graph all speak it. Order of the map is the order of the file.

/** Row-major float32 values; the product of `shape` is the length of `data` (an empty shape is a scalar). */
export type WeightTensor = { dtype: 'f32'; shape: readonly number[]; data: Float32Array };

export type Weights = Map<string, WeightTensor>;

/** The number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

/** A weight tensor over `data`. Throws RangeError when the shape does not have as many elements as the data. */
export function weightTensor(shape: readonly number[], data: Float32Array): WeightTensor {
  if (sizeOf(shape) !== data.length) {
    throw new RangeError(`weightTensor: shape [${shape}] has ${sizeOf(shape)} elements, the data has ${data.length}`);
  }
  return { dtype: 'f32', shape, data };
}

/** The tensor called `name`. Throws RangeError when it is missing or, where `shape` is given, has another shape. */
export function getWeight(weights: Weights, name: string, shape?: readonly number[]): WeightTensor {
  const tensor = weights.get(name);
  if (!tensor) throw new RangeError(`weights: no tensor named "${name}" among ${weights.size}`);
  if (shape && String(shape) !== String(tensor.shape)) {
    throw new RangeError(`weights: "${name}" is [${tensor.shape}], expected [${shape}]`);
  }
  return tensor;
}

/** The number of parameters of a whole model. */
export function countParameters(weights: Weights): number {
  let count = 0;
  for (const tensor of weights.values()) count += tensor.data.length;
  return count;
}
