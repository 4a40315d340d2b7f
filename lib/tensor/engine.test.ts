import { expect, test } from '@jest/globals';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { openEngine } from './engine.ts';

const { tf, jit } = openEngine({ libraryDir });

test('an eager product of two matrices is the product', () => {
  const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  expect([...tf.matMul(a, a).dataSync()]).toEqual([7, 10, 15, 22]);
});

test('a jit function gives what the function gives', () => {
  const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const f = jit((x: typeof a) => tf.softmax(tf.matMul(x, a)) as typeof a);
  expect([...f(a).dataSync()]).toEqual([...tf.softmax(tf.matMul(a, a)).dataSync()]);
});
