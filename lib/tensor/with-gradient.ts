// tf.customGrad with types that say what happens: the forward value, what is kept for the gradient, and the gradient.
import { tf } from './tfjs.ts';

interface Forward<S> {
  readonly value: tf.Tensor;
  /** What the gradient needs: tfjs disposes everything else that was made on the way, in closures too. */
  readonly saved: S;
}

/** `gradient` gives one tensor an input. */
export function withGradient<const I extends readonly tf.Tensor[], const S extends readonly tf.Tensor[]>(
  inputs: I,
  forward: (...inputs: I) => Forward<S>,
  gradient: (dy: tf.Tensor, ...saved: S) => readonly tf.Tensor[],
): tf.Tensor {
  const run = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const { value, saved } = forward(...(args as unknown as I));
    save([...saved]);
    return { value, gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => [...gradient(dy, ...(kept as unknown as S))] };
  });
  return run(...inputs);
}
