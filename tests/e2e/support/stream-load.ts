// Runs in a pod: streams one after the other until it is told to stop; prints how they ended.
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { connect } from '#lib/platform/grpc-client.ts';

const [address = '', clients = '3', model = '', tokens = '1500'] = process.argv.slice(1);
const { client } = connect(InferenceServiceDefinition, address);
const counts = { finished: 0, tokens: 0 };
const failed: string[] = [];

async function stream(): Promise<void> {
  let got = 0;
  try {
    const sampling = { maxTokens: Number(tokens), temperature: 1, seed: 1 };
    const request = { model: { name: model }, prompt: { $case: 'text', value: 'A boat' } as const, sampling };
    for await (const { ids } of client.generate(request)) got += ids.length / 4;
    counts.finished += 1;
    counts.tokens += got;
  } catch (error) {
    failed.push(`after ${got} tokens: ${error}`);
    await delay(1000);
  }
}

async function streamOn(): Promise<void> {
  while (!existsSync('/tmp/stop')) await stream();
}

await Promise.all(Array.from({ length: Number(clients) }, streamOn));
console.log(JSON.stringify({ ...counts, failed }));
process.exit(0);
