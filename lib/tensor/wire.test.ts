import { expect, test } from '@jest/globals';
import { encodeAttr } from './attrs.ts';
import { bytesField, floatField, message, readFields, text, varintField } from './wire.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

// The first three are the examples of https://protobuf.dev/programming-guides/encoding
test('fields are written as the specification says', () => {
  expect(hex(varintField(1, 150))).toBe('089601');
  expect(hex(bytesField(2, 'testing'))).toBe('120774657374696e67');
  expect(hex(bytesField(3, varintField(1, 150)))).toBe('1a03089601');
  expect(hex(varintField(1, -2))).toBe('08feffffffffffffffff01');
  expect(hex(floatField(4, 1))).toBe('250000803f');
});

test('what is written is read back, field by field', () => {
  const bytes = message(varintField(1, 300), bytesField(16, 'naïve'), floatField(3, 0.5), varintField(1, 2 ** 40));
  const read = [...readFields(bytes)].map(({ number, value }) => [
    number,
    typeof value === 'number' ? value : text(value),
  ]);
  expect(read).toEqual([
    [1, 300],
    [16, 'naïve'],
    [3, 0.5],
    [1, 2 ** 40],
  ]);
});

test('a truncated message and an unknown wire type are errors', () => {
  expect(() => [...readFields(Uint8Array.of(8, 150))]).toThrow(RangeError);
  expect(() => [...readFields(Uint8Array.of(11))]).toThrow('wire type 3');
});

// Field numbers: tensorflow/core/framework/attr_value.proto and tensor_shape.proto.
test.each([
  ['int', -1, '18ffffffffffffffffff01'],
  ['float', 0.25, '250000803e'],
  ['bool', true, '2801'],
  ['type', 1, '3001'],
  ['string', 'SAME', '120453414d45'],
  ['shape', [2, 3], '3a081202080212020803'],
  ['list(int)', [1, 2], '0a0418011802'],
  ['list(type)', [1, 3], '0a0430013003'],
  ['func', 'f', '52030a0166'],
] as const)('an attribute of type %s is an AttrValue', (type, value, expected) => {
  expect(hex(encodeAttr(type, value))).toBe(expected);
});

test('an attribute of a type that cannot be set is an error', () => {
  expect(() => encodeAttr('tensor', 1)).toThrow('attributes of type tensor cannot be set');
});
