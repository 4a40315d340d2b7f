// ONNX graphs as plain data, and their protobuf encoding (onnx.proto, IR version 10). Tensors stay outside the message, which
// may not exceed 2 GB: it names them, and whoever reads the model is given their bytes beside it.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** TensorProto.DataType of the element types used here. */
export const elementTypes = { float32: 1, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

/** A side is a number, or the name of one that is known at run time. */
export type Dimension = number | string;

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  /** '' is ONNX's own set. */
  readonly domain: '' | 'com.microsoft';
  /** An absent optional input is ''. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A float32 constant of the graph: in memory, or in the graph's file from byte `offset`. */
export type Initializer = { readonly shape: readonly number[] } & (
  | { readonly data: Float32Array }
  | { readonly offset: number }
);

export interface OnnxGraph {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Holds the constants that are not in memory. */
  readonly file?: string | undefined;
}

/** Where a tensor's bytes lie outside the message. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
}

const irVersion = 10;
const operatorSets = { '': 21, 'com.microsoft': 1 } as const;

/** The serialized ModelProto. Constants are outside it where `locate` says, and inside where it gives nothing. */
export function encodeModel(
  graph: OnnxGraph,
  locate: (name: string, tensor: Initializer) => ExternalData | undefined,
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(irVersion);
  text(writer, 2, 'strata');
  message(writer, 7, () => {
    for (const node of graph.nodes) message(writer, 1, () => writeNode(writer, node));
    text(writer, 2, 'decode');
    for (const [name, tensor] of graph.initializers) {
      message(writer, 5, () => writeTensor(writer, { name, tensor, external: locate(name, tensor) }));
    }
    for (const value of graph.inputs) message(writer, 11, () => writeValueInfo(writer, value));
    for (const value of graph.outputs) message(writer, 12, () => writeValueInfo(writer, value));
  });
  for (const [domain, version] of Object.entries(operatorSets)) {
    message(writer, 8, () => {
      text(writer, 1, domain);
      writer.tag(2, WireType.Varint).int64(version);
    });
  }
  return writer.finish();
}

function writeNode(writer: BinaryWriter, { op, domain, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, outputs[0] ?? op);
  text(writer, 4, op);
  for (const [name, value] of Object.entries(attributes)) message(writer, 5, () => writeAttribute(writer, name, value));
  text(writer, 7, domain);
}

/** AttributeProto: its type has a field of its own. */
function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): void {
  text(writer, 1, name);
  if ('float' in value) writer.tag(2, WireType.Bit32).float(value.float).tag(20, WireType.Varint).int32(1);
  else if ('int' in value) writer.tag(3, WireType.Varint).int64(value.int).tag(20, WireType.Varint).int32(2);
  else {
    for (const each of value.ints) writer.tag(8, WireType.Varint).int64(each);
    writer.tag(20, WireType.Varint).int32(7);
  }
}

interface NamedTensor {
  readonly name: string;
  readonly tensor: Initializer;
  readonly external: ExternalData | undefined;
}

function writeTensor(writer: BinaryWriter, { name, tensor, external }: NamedTensor): void {
  for (const side of tensor.shape) writer.tag(1, WireType.Varint).int64(side);
  writer.tag(2, WireType.Varint).int32(elementTypes.float32);
  text(writer, 8, name);
  if (external) {
    const length = tensor.shape.reduce((size, side) => size * side, Float32Array.BYTES_PER_ELEMENT);
    writeExternalData(writer, { ...external, length });
  } else if ('data' in tensor) {
    const { buffer, byteOffset, byteLength } = tensor.data;
    writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(buffer, byteOffset, byteLength));
  } else throw new TypeError(`onnx: constant "${name}" lies in a file, and nobody says where`);
}

function writeExternalData(writer: BinaryWriter, entries: ExternalData & { length: number }): void {
  for (const [key, value] of Object.entries(entries)) {
    message(writer, 13, () => {
      text(writer, 1, key);
      text(writer, 2, String(value));
    });
  }
  writer.tag(14, WireType.Varint).int32(1); // data_location: EXTERNAL
}

function writeValueInfo(writer: BinaryWriter, { name, type, shape }: ValueInfo): void {
  text(writer, 1, name);
  message(writer, 2, () =>
    message(writer, 1, () => {
      writer.tag(1, WireType.Varint).int32(elementTypes[type]);
      message(writer, 2, () => {
        for (const side of shape) message(writer, 1, () => writeDimension(writer, side));
      });
    }),
  );
}

function writeDimension(writer: BinaryWriter, side: Dimension): void {
  if (typeof side === 'string') text(writer, 2, side);
  else writer.tag(1, WireType.Varint).int64(side);
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function message(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
}
