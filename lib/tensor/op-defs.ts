// What every TensorFlow operation takes and gives, read from the library itself: which inputs are lists, what type
// each attribute has, how many outputs there are. tensorflow/core/framework/op_def.proto
import { type Runtime, readBuffer } from './runtime.ts';
import { readFields, text } from './wire.ts';

/** One input or output. Its dtype, length or list of dtypes is fixed, or is what an attribute says. */
export interface OpArg {
  readonly name: string;
  /** The attribute that holds the dtype. */
  readonly typeAttr: string;
  /** The attribute that holds how many tensors of one dtype this list has. */
  readonly numberAttr: string;
  /** The attribute that holds the dtypes, and so the length, of this list. */
  readonly typeListAttr: string;
}

export interface OpDef {
  readonly name: string;
  readonly inputs: readonly OpArg[];
  readonly outputs: readonly OpArg[];
  /** Attribute name -> type as TensorFlow writes it: `int`, `list(type)`, … */
  readonly attrs: ReadonlyMap<string, string>;
}

const argKeys: Readonly<Record<number, keyof OpArg>> = { 1: 'name', 4: 'typeAttr', 5: 'numberAttr', 6: 'typeListAttr' };

function toOpArg(bytes: Uint8Array): OpArg {
  const arg = { name: '', typeAttr: '', numberAttr: '', typeListAttr: '' };
  for (const { number, value } of readFields(bytes)) {
    const key = argKeys[number];
    if (key) arg[key] = text(value);
  }
  return arg;
}

export function toOpDef(bytes: Uint8Array): OpDef {
  let name = '';
  const inputs: OpArg[] = [];
  const outputs: OpArg[] = [];
  const attrs = new Map<string, string>();
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === 'number') continue;
    if (number === 1) name = text(value);
    if (number === 2) inputs.push(toOpArg(value));
    if (number === 3) outputs.push(toOpArg(value));
    if (number === 4) {
      const fields = [...readFields(value)];
      const field = (wanted: number) => text(fields.find((f) => f.number === wanted)?.value ?? 0);
      attrs.set(field(1), field(2));
    }
  }
  return { name, inputs, outputs, attrs };
}

/** Looks definitions up by name, each read once. An unknown name is TensorFlow's error. */
export function createOpDefs({ c, status, check }: Runtime): (name: string) => OpDef {
  const graph = c.TF_NewGraph(); // lives as long as the thread: the library answers only about a graph's operations
  const known = new Map<string, OpDef>();
  return (name) => {
    const cached = known.get(name);
    if (cached) return cached;
    const buffer = c.TF_NewBuffer();
    c.TF_GraphGetOpDef(graph, name, buffer, status);
    check(`operation ${name}`);
    const def = toOpDef(readBuffer(buffer));
    c.TF_DeleteBuffer(buffer);
    known.set(name, def);
    return def;
  };
}

export interface OpAttr {
  readonly name: string;
  readonly value: unknown;
}

/** Cuts a flat list of inputs into the operation's arguments; a list argument's slice is an array. */
export function groupInputs<T>(def: OpDef, attrs: readonly OpAttr[], flat: readonly T[]): (T | T[])[] {
  let at = 0;
  const groups = def.inputs.map((arg, i) => {
    if (!isList(arg)) return flat[at++] as T;
    const single = def.inputs.filter((other, j) => j > i && !isList(other)).length;
    const length = lengthOfList(arg, attrs) ?? flat.length - at - single;
    at += length;
    return flat.slice(at - length, at);
  });
  if (at !== flat.length) throw new RangeError(`${def.name} takes ${at} inputs, got ${flat.length}`);
  return groups;
}

export const isList = (arg: OpArg): boolean => arg.numberAttr !== '' || arg.typeListAttr !== '';

/** Attributes that the inputs themselves settle when they are added as lists. */
export const isInferred = (def: OpDef, attr: string): boolean =>
  def.inputs.some((arg) => arg.numberAttr === attr || arg.typeListAttr === attr);

function lengthOfList(arg: OpArg, attrs: readonly OpAttr[]): number | undefined {
  const value = attrs.find(({ name }) => name === (arg.numberAttr || arg.typeListAttr))?.value;
  return Array.isArray(value) ? value.length : (value as number | undefined);
}

/** How many tensors the operation gives, which attributes may decide. */
export function countOutputs(def: OpDef, attrs: readonly OpAttr[]): number {
  return def.outputs.reduce((count, arg) => count + (isList(arg) ? (lengthOfList(arg, attrs) ?? 1) : 1), 0);
}
