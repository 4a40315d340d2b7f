// llama.cpp's side of generate.ts, through node-llama-cpp (installed by generate.ts into .cache/peers-node).
//
// usage: generate-llama-cpp.ts FILE.gguf
// Each line "N" on standard input makes N tokens and answers one line of JSON (`Generated` in generate.ts).
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { pathToFileURL } from 'node:url';
import { type Generated, peerFolder, promptOf } from '../generate.ts';

interface Sequence {
  evaluate(ids: number[], options: { temperature: number }): AsyncIterable<number>;
  clearHistory(): Promise<void>;
}
interface Model {
  tokenize(text: string): number[];
  createContext(options: { contextSize: number; threads: number }): Promise<{ getSequence(): Sequence }>;
}
interface NodeLlamaCpp {
  getLlama(options: Record<string, unknown>): Promise<{ loadModel(options: { modelPath: string }): Promise<Model> }>;
}

const [modelPath = ''] = process.argv.slice(2);
const entry = path.join(peerFolder, 'node_modules/node-llama-cpp/dist/index.js');
const { getLlama }: NodeLlamaCpp = await import(pathToFileURL(entry).href);
const threads = availableParallelism();
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  maxThreads: threads,
  logLevel: 'error',
});
const model = await llama.loadModel({ modelPath });
const sequence = (await model.createContext({ contextSize: 1024, threads })).getSequence();

async function generate(tokens: number, round: number): Promise<Generated> {
  await sequence.clearHistory();
  const started = performance.now();
  let firstAt = 0;
  const ids: number[] = [];
  for await (const id of sequence.evaluate(model.tokenize(promptOf(round)), { temperature: 0 })) {
    firstAt ||= performance.now();
    if (ids.push(id) === tokens) break;
  }
  const peak_rss_mb = process.resourceUsage().maxRSS / 1024;
  return { ids, first_ms: firstAt - started, rest_ms: performance.now() - firstAt, peak_rss_mb };
}

let rounds = 0;
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await generate(Number(line), rounds++)));
}
process.exit();
