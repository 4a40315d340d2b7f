// What a row of the edge's table says of an RPC. The table itself: rules.ts.
import type { Evaluation } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { Scope } from '#lib/platform/api-key.ts';
import type { Definitions } from './definitions.ts';

export type Kind = 'model' | 'dataset' | 'tokenizer' | 'run' | 'task';

/** A name in a request. References (name and version) and object references need not be listed: they are found wherever they stand. */
export interface Named {
  kind: Kind;
  /** In the contract's spelling. */
  field: string;
  name: string;
}

/** Something with an id, whose owner has to be asked for. */
export interface Thing {
  kind: 'run' | 'evaluation' | 'pipeline run';
  id: string;
}

/** What a tenant sees of what services answer. */
export interface Sees {
  /** Its own names, and the shared ones. */
  name(name: string | undefined): boolean;
  /** Its own names. */
  own(name: string | undefined): boolean;
  run(run: Run): boolean;
  evaluation(evaluation: Evaluation): boolean;
}

export interface Rule<Request, Response> {
  scope: Scope;
  /** For keys without tenant only. */
  platformOnly?: boolean;
  /** Names that come to be: they must be the tenant's. */
  makes?: (request: Request) => Named[];
  /** Named things that are changed: they must be the tenant's. */
  changes?: (request: Request) => Named[];
  /** The run, evaluation or pipeline run it is about: it must be the tenant's. */
  thing?: (request: Request) => Thing;
  /** What the edge writes into a tenant's request; or it refuses it. */
  amend?: (request: Request, tenant: string) => Request;
  /** What is left of the answer for a tenant. */
  shows?: (response: Response, sees: Sees) => Response;
  /** Tokens that a response accounts for. */
  tokens?: (response: Response) => number;
}

/** What a row says of requests. */
export type RequestRule<Request> = Omit<Rule<Request, never>, 'shows' | 'tokens'>;

type MessageOf<Codec> = Codec extends { decode(input: Uint8Array): infer Message } ? Message : never;

/** A row for a method; lists must say what they show. */
export type RuleOf<Method> = Method extends { name: infer Name; requestType: infer Q; responseType: infer R }
  ? Rule<MessageOf<Q>, MessageOf<R>> &
      (Name extends `List${string}` ? Required<Pick<Rule<MessageOf<Q>, MessageOf<R>>, 'shows'>> : unknown)
  : never;

export type Rules = {
  readonly [S in keyof Definitions]: {
    readonly [M in keyof Definitions[S]['methods']]: RuleOf<Definitions[S]['methods'][M]>;
  };
};
