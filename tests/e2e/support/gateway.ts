// The edge as its users see it: OpenAI's HTTP API on the gateway.

export interface Completion {
  status: number;
  text: string;
  body: unknown;
}

export const gatewayUrl = (): string => `http://${process.env.STRATA_GATEWAY_ADDRESS}`;

export async function complete({ model = '', prompt = '', tokens = 5 }): Promise<Completion> {
  const response = await fetch(`${gatewayUrl()}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization() },
    body: JSON.stringify({ model, prompt, max_tokens: tokens, seed: 1 }),
    signal: AbortSignal.timeout(180_000),
  });
  const body = (await response.json()) as { choices?: { text: string }[] };
  return { status: response.status, text: body.choices?.[0]?.text ?? '', body };
}

/** Where the release asks for a key. */
export const authorization = (): Record<string, string> => {
  const key = process.env.STRATA_E2E_KEY;
  return key ? { authorization: `Bearer ${key}` } : {};
};
