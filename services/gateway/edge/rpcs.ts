// The table of rules joined with the contract: every RPC with its path, its messages as bytes and as objects, and its row.
import { definitions, type EdgeService } from './definitions.ts';
import type { Rule } from './rule.ts';
import { rules } from './rules.ts';

interface Codec {
  decode(bytes: Uint8Array): object;
  encode(message: object): { finish(): Uint8Array };
}

interface Method {
  name: string;
  requestStream: boolean;
  responseStream: boolean;
  requestType: Codec;
  responseType: Codec;
}

export interface Rpc {
  readonly service: EdgeService;
  /** `strata.trainer.v1.TrainerService/CreateRun` */
  readonly name: string;
  readonly method: Method;
  readonly rule: Rule<object, object>;
}

/** Each row belongs to the messages of its own method, which only the table's type knows. */
export const rpcs: readonly Rpc[] = Object.entries(definitions).flatMap(([service, { fullName, methods }]) =>
  Object.entries(methods as unknown as Record<string, Method>).map(([key, method]) => ({
    service: service as EdgeService,
    name: `${fullName}/${method.name}`,
    method,
    rule: (rules[service as EdgeService] as unknown as Record<string, Rule<object, object>>)[key] as Rule<
      object,
      object
    >,
  })),
);

export const decode = (codec: Codec, bytes: Buffer): object => codec.decode(bytes);
export const encode = (codec: Codec, message: object): Buffer => Buffer.from(codec.encode(message).finish());
