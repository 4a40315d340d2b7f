// Trees of tensors: what a jit function takes and gives. Arrays and plain records may be nested; the leaves are tensors.
import { Tensor } from '@tensorflow/tfjs-core';

export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/** The tensors of a tree, in a fixed order (records by their own key order). */
export function leavesOf(tree: unknown, path = 'argument'): Tensor[] {
  if (tree instanceof Tensor) return [tree];
  if (Array.isArray(tree)) return tree.flatMap((item, i) => leavesOf(item, `${path}[${i}]`));
  if (isRecord(tree)) return Object.entries(tree).flatMap(([key, item]) => leavesOf(item, `${path}.${key}`));
  throw new TypeError(
    `jit: ${path} is ${tree === null ? 'null' : typeof tree}, not a tensor or a list or record of tensors`,
  );
}

/** The same tree with other leaves, taken in order from `next`. */
export function mapTree<T extends Tree>(tree: T, next: () => Tensor): T {
  if (tree instanceof Tensor) return next() as T;
  if (Array.isArray(tree)) return tree.map((item) => mapTree(item as Tree, next)) as unknown as T;
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapTree(item as Tree, next)])) as T;
}

/** What decides whether two trees may run the same compiled function: structure, dtypes and shapes. */
export function signatureOf(tree: Tree): string {
  if (tree instanceof Tensor) return `${tree.dtype}[${tree.shape}]`;
  if (Array.isArray(tree)) return `[${tree.map((item) => signatureOf(item as Tree)).join()}]`;
  return `{${Object.entries(tree).map(([key, item]) => `${key}:${signatureOf(item as Tree)}`)}}`;
}

const isRecord = (tree: unknown): tree is Record<string, unknown> =>
  typeof tree === 'object' && tree !== null && Object.prototype.toString.call(tree) === '[object Object]';
