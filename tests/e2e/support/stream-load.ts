// Runs in a pod: streams one after the other until told to stop by its deadline; prints how each ended. Only what had not begun is asked again.

import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { hasCode } from '#lib/platform/errors.ts';
import { connect } from '#lib/platform/grpc-client.ts';

const [address = '', seconds = '30', clients = '3', model = '', tokens = '1500'] = process.argv.slice(1);
const { client } = connect(InferenceServiceDefinition, address);
const counts = { finished: 0, tokens: 0, askedAgain: 0 };
const failed: string[] = [];
const until = Date.now() + Number(seconds) * 1000;

async function stream(): Promise<void> {
  let got = 0;
  try {
    const sampling = { maxTokens: Number(tokens), temperature: 1, seed: 1 };
    const request = { model: { name: model }, prompt: { $case: 'text', value: 'A boat' } as const, sampling };
    for await (const { ids } of client.generate(request)) got += ids.length / 4;
    counts.finished += 1;
    counts.tokens += got;
  } catch (error) {
    if (got === 0 && hasCode(error, 'UNAVAILABLE')) counts.askedAgain += 1;
    else failed.push(`after ${got} tokens: ${error}`);
  }
}

async function streamOn(): Promise<void> {
  while (Date.now() < until) await stream();
}

await Promise.all(Array.from({ length: Number(clients) }, streamOn));
console.log(JSON.stringify({ ...counts, failed }));
process.exit(0);
