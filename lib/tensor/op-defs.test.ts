import { expect, test } from '@jest/globals';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { currentBackend } from './backend.ts';
import { openEngine } from './engine.ts';
import { countOutputs, groupInputs, isInferred } from './op-defs.ts';

openEngine({ libraryDir });
const { opDef } = currentBackend().engineBinding;

test('a definition is what the library says', () => {
  const { inputs, outputs, attrs } = opDef('ConcatV2');
  expect(inputs.map(({ name, numberAttr, typeAttr }) => [name, numberAttr, typeAttr])).toEqual([
    ['values', 'N', 'T'],
    ['axis', '', 'Tidx'],
  ]);
  expect(outputs.map(({ name }) => name)).toEqual(['output']);
  expect(Object.fromEntries(attrs)).toEqual({ N: 'int', T: 'type', Tidx: 'type' });
  expect(opDef('StridedSlice').attrs.get('begin_mask')).toBe('int');
  expect(opDef('Conv2D').attrs.get('strides')).toBe('list(int)');
});

test('lists of inputs are cut out by their attribute, or by what the others leave', () => {
  const concat = opDef('ConcatV2');
  expect(groupInputs(concat, [{ name: 'N', value: 2 }], ['a', 'b', 'axis'])).toEqual([['a', 'b'], 'axis']);
  expect(groupInputs(concat, [], ['a', 'b', 'c', 'axis'])).toEqual([['a', 'b', 'c'], 'axis']);
  const call = opDef('PartitionedCall');
  expect(groupInputs(call, [{ name: 'Tin', value: [1, 3] }], ['x', 'y'])).toEqual([['x', 'y']]);
  expect(groupInputs(opDef('Neg'), [], ['x'])).toEqual(['x']);
  expect(() => groupInputs(opDef('Neg'), [], ['x', 'y'])).toThrow('Neg takes 1 inputs, got 2');
});

test('the number of outputs follows from the attributes', () => {
  expect(countOutputs(opDef('Split'), [{ name: 'num_split', value: 3 }])).toBe(3);
  expect(countOutputs(opDef('PartitionedCall'), [{ name: 'Tout', value: [1, 1, 3] }])).toBe(3);
  expect(countOutputs(opDef('TopKV2'), [])).toBe(2);
});

test('attributes that lists of inputs settle are told apart from those to set', () => {
  expect(isInferred(opDef('ConcatV2'), 'N')).toBe(true);
  expect(isInferred(opDef('ConcatV2'), 'Tidx')).toBe(false);
});
