// Our side of generate.ts: registry and inference on a home of their own, the model imported from its GGUF file, asked over gRPC.
//
// usage: generate-strata.ts FILE.gguf
// Each line "N" on standard input makes N tokens and answers one line of JSON (`Generated` in generate.ts).
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import { importModel, startServing } from '../support/serving.ts';
import { type Generated, promptOf } from './generate.ts';

const [file = ''] = process.argv.slice(2);
const home = await mkdtemp(path.join(tmpdir(), 'strata-generate-'));
const serving = await startServing(home);
const version = await importModel(serving, 'smollm2', { [path.basename(file)]: await readFile(file) });

async function generate(maxTokens: number, round: number): Promise<Generated> {
  const started = performance.now();
  let firstAt = 0;
  const ids: number[] = [];
  const request = {
    model: version.ref,
    prompt: { $case: 'text' as const, value: promptOf(round) },
    sampling: { maxTokens, temperature: 0 },
  };
  for await (const response of serving.inference.generate(request)) {
    firstAt ||= performance.now();
    ids.push(...fromInt32Bytes(response.ids));
  }
  const peak_rss_mb = process.resourceUsage().maxRSS / 1024;
  return { ids, first_ms: firstAt - started, rest_ms: performance.now() - firstAt, peak_rss_mb };
}

let rounds = 0;
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await generate(Number(line), rounds++)));
}
await serving.stop();
await rm(home, { recursive: true });
