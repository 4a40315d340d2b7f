// `make bench NAME=tokenize`: encoding with GPT-2's vocabulary and training a vocabulary of 4,096, on about 5 MB of English and
// TypeScript (documentation and declarations of the installed packages), against Hugging Face's `tokenizers` on one thread and
// js-tiktoken. Rounds alternate; medians count; all have to give the same ids and merges. Last line: JSON.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Tiktoken } from 'js-tiktoken/lite';
import gpt2Ranks from 'js-tiktoken/ranks/gpt2';
import { createPieceCounter } from '#lib/text/count-pieces.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import { learnMerges } from '#lib/text/learn-merges.ts';
import { gpt2PreTokenizer } from '#lib/text/pre-tokenizers.ts';

const root = join(import.meta.dirname, '../..');
const rounds = 5;
const vocabSize = 4096;
const corpusChars = 5_000_000;

interface Timed {
  readonly ms: number;
  readonly sha256: string;
}

const readCorpus = (): string[] => {
  const documents: string[] = [];
  let length = 0;
  for (const file of globSync('node_modules/**/*.{md,d.ts}', { cwd: root }).sort()) {
    if (length > corpusChars) break;
    const text = readFileSync(join(root, file), 'utf8').toWellFormed();
    documents.push(text);
    length += text.length;
  }
  return documents;
};

const timed = <T>(work: () => T): { ms: number; result: T } => {
  const began = performance.now();
  const result = work();
  return { ms: performance.now() - began, result };
};

const hashOf = (parts: Iterable<Uint8Array | string>): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

const bytesOf = (ids: Int32Array): Uint8Array => new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);

const encodeHere = (documents: readonly string[]): Timed => {
  const { ms, result } = timed(() => documents.map((text) => gpt2.encode(text)));
  return { ms, sha256: hashOf(result.map(bytesOf)) };
};

const encodeWithTiktoken = (documents: readonly string[]): Timed => {
  const tiktoken = new Tiktoken(gpt2Ranks);
  const { ms, result } = timed(() => documents.map((text) => Int32Array.from(tiktoken.encode(text, [], []))));
  return { ms, sha256: hashOf(result.map(bytesOf)) };
};

const trainHere = (documents: readonly string[]): Timed => {
  const { ms, result } = timed(() => {
    const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer });
    for (const text of documents) counter.add(text);
    return learnMerges(counter.counts(), { maxTokens: vocabSize });
  });
  const { tokens, merges } = result;
  const lines = Array.from({ length: merges.length / 2 }, (_, rank) => {
    const [left, right] = merges.subarray(2 * rank, 2 * rank + 2);
    return `${tokens[left as number]} ${tokens[right as number]}`;
  });
  return { ms, sha256: hashOf([lines.join('\n')]) };
};

const startPeer = (documents: readonly string[]) => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-tokenize-'));
  writeFileSync(join(folder, 'documents.json'), JSON.stringify(documents));
  writeFileSync(join(folder, 'gpt2.json'), JSON.stringify(gpt2));
  const program = [join(import.meta.dirname, 'peers/tokenize.py'), folder];
  const env = { ...process.env, TOKENIZERS_PARALLELISM: 'false', RAYON_NUM_THREADS: '1' };
  const child = spawn(join(root, '.cache/peers/bin/python'), program, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (command: string): Promise<Timed> => {
      child.stdin.write(`${command}\n`);
      return JSON.parse((await lines.next()).value ?? '{}');
    },
    stop: () => {
      child.stdin.end();
      rmSync(folder, { recursive: true });
    },
  };
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

const gpt2 = createGpt2Tokenizer();
const documents = readCorpus();
const megabytes = documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
const peer = startPeer(documents);
const times = { encode: [] as number[], encodePeer: [] as number[], train: [] as number[], trainPeer: [] as number[] };
const differences: string[] = [];

for (let round = 0; round < rounds; round++) {
  const encoded = [encodeHere(documents), await peer.ask('encode')] as const;
  const trained = [trainHere(documents), await peer.ask(`train ${vocabSize}`)] as const;
  if (encoded[0].sha256 !== encoded[1].sha256) differences.push('ids');
  if (trained[0].sha256 !== trained[1].sha256) differences.push('merges');
  times.encode.push(encoded[0].ms);
  times.encodePeer.push(encoded[1].ms);
  times.train.push(trained[0].ms);
  times.trainPeer.push(trained[1].ms);
  const ms = [...encoded, ...trained].map((one) => one.ms.toFixed(0));
  console.log(`round ${round + 1}: encode ${ms[0]} ms (tokenizers ${ms[1]}), train ${ms[2]} ms (tokenizers ${ms[3]})`);
}
peer.stop();
const tiktoken = encodeWithTiktoken(documents);

const speed = (ms: number): number => Number((megabytes / (ms / 1000)).toFixed(2));
const encode = { ours: median(times.encode), tokenizers: median(times.encodePeer) };
const train = { ours: median(times.train), tokenizers: median(times.trainPeer) };
console.log(
  JSON.stringify({
    bench: 'tokenize',
    megabytes: Number(megabytes.toFixed(2)),
    encode_mb_per_s: {
      ours: speed(encode.ours),
      tokenizers: speed(encode.tokenizers),
      'js-tiktoken': speed(tiktoken.ms),
    },
    train_seconds: { ours: train.ours / 1000, tokenizers: train.tokenizers / 1000 },
    same_as_tokenizers: differences.length === 0,
    same_as_js_tiktoken: tiktoken.sha256 === encodeHere(documents).sha256,
    ratio: Math.min(encode.tokenizers / encode.ours, train.tokenizers / train.ours),
  }),
);
process.exitCode = differences.length === 0 ? 0 : 1;
