// The two methods of `make bench NAME=rpc` for bare grpc-js: the generated codecs of Score (unary) and Generate (a stream of small messages).
import type { MethodDefinition } from '@grpc/grpc-js';
import {
  GenerateRequest,
  GenerateResponse,
  ScoreRequest,
  ScoreResponse,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function define<Q, A>(
  name: string,
  responseStream: boolean,
  [request, response]: [Codec<Q>, Codec<A>],
): MethodDefinition<Q, A> {
  return {
    path: `/strata.inference.v1.InferenceService/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (value) => Buffer.from(request.encode(value).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (value) => Buffer.from(response.encode(value).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

export const bareMethods = {
  score: define('Score', false, [ScoreRequest, ScoreResponse]),
  generate: define('Generate', true, [GenerateRequest, GenerateResponse]),
};
