// What a route is given beside the client's body.
import type { InferenceServiceClient } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';

export interface Call {
  inference: Pick<InferenceServiceClient<DeadlineOption>, 'generate' | 'chat' | 'score'>;
  /** End with the request: the client leaves, or its time is up. */
  options: { signal: AbortSignal; deadlineMs: number };
  /** Seconds since 1970. */
  created: number;
}
