// Service definitions as grpc-js needs them: ts-proto's (ours, health) and grpc-js's own (reflection).
import type { MethodDefinition } from '@grpc/grpc-js';
import type { CompatServiceDefinition } from 'nice-grpc';

export type Method = MethodDefinition<unknown, unknown>;

interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromPartial?(message: unknown): unknown;
}

interface TsProtoMethod {
  name: string;
  requestType: Codec;
  requestStream: boolean;
  responseType: Codec;
  responseStream: boolean;
}

/** Methods by their names in the implementation and in the client. */
export function methodsOf(definition: CompatServiceDefinition): [name: string, method: Method][] {
  if (!isTsProto(definition)) return Object.entries(definition) as [string, Method][];
  const { fullName, methods } = definition;
  return Object.entries(methods).map(([name, method]) => [name, toMethod(fullName, method)]);
}

const isTsProto = (
  definition: unknown,
): definition is { fullName: string; methods: Readonly<Record<string, TsProtoMethod>> } =>
  typeof (definition as { fullName?: unknown }).fullName === 'string';

const toMethod = (fullName: string, method: TsProtoMethod): Method => ({
  path: `/${fullName}/${method.name}`,
  requestStream: method.requestStream,
  responseStream: method.responseStream,
  ...codecOf('request', method.requestType),
  ...codecOf('response', method.responseType),
});

/** Fields that are left out are filled in before a message is encoded. */
const codecOf = <Side extends 'request' | 'response'>(side: Side, codec: Codec) =>
  ({
    [`${side}Serialize`]: (message: unknown) =>
      toBuffer(codec.encode(codec.fromPartial?.(message) ?? message).finish()),
    [`${side}Deserialize`]: (bytes: Buffer) => codec.decode(bytes),
  }) as Pick<Method, `${Side}Serialize` | `${Side}Deserialize`>;

/** The same bytes: grpc-js asks for its class. */
const toBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
