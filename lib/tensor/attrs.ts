// Attributes of operations as serialized AttrValues, so that eager operations and graph nodes take the same bytes.
// tensorflow/core/framework/attr_value.proto
import { bytesField, floatField, message, varintField } from './wire.ts';

const scalar = {
  string: (value, field = 2) => bytesField(field, value as string | Uint8Array),
  int: (value, field = 3) => varintField(field, value as number | bigint),
  float: (value, field = 4) => floatField(field, value as number),
  bool: (value, field = 5) => varintField(field, value ? 1 : 0),
  type: (value, field = 6) => varintField(field, value as number),
  shape: (value, field = 7) => bytesField(field, toShapeProto(value as readonly number[])),
  func: (value, field = 10) => bytesField(field, bytesField(1, value as string)),
} as const satisfies Record<string, (value: unknown, field?: number) => Uint8Array>;

/** TensorShapeProto: dim = 2 { size = 1 }. */
const toShapeProto = (shape: readonly number[]) => message(...shape.map((dim) => bytesField(2, varintField(1, dim))));

/** `type` is as the operation's definition writes it: `int`, `list(int)`, … */
export function encodeAttr(type: string, value: unknown): Uint8Array {
  const element = /^list\((\w+)\)$/.exec(type)?.[1];
  const encode = scalar[(element ?? type) as keyof typeof scalar];
  if (!encode) throw new TypeError(`attributes of type ${type} cannot be set`);
  if (!element) return encode(value);
  // Inside ListValue every kind but func (9) keeps its own field number.
  const items = (value as readonly unknown[]).map((item) => (element === 'func' ? encode(item, 9) : encode(item)));
  return bytesField(1, message(...items));
}
