// Inference, whose answers are counted in tokens on somebody's account.
import type { Lease } from '../auth/limiter.ts';
import { rules } from '../edge/rules.ts';
import type { Call } from './call.ts';

type Inference = Call['inference'];

export function metered(inference: Inference, { countsTokens, spend }: Lease): Inference {
  if (!countsTokens) return inference;
  const { generate, chat, score } = rules.inference;
  return {
    generate: (request, options) => counted(inference.generate(request, options), (one) => spend(generate.tokens(one))),
    chat: (request, options) => counted(inference.chat(request, options), (one) => spend(chat.tokens(one))),
    score: async (request, options) => {
      const response = await inference.score(request, options);
      spend(score.tokens(response));
      return response;
    },
  };
}

async function* counted<T>(responses: AsyncIterable<T>, count: (response: T) => void): AsyncGenerator<T> {
  for await (const response of responses) {
    count(response);
    yield response;
  }
}
