// `make bench NAME=generate`: tokens a second of SmolLM2-135M-Instruct through the inference service (real gRPC, fp32) beside llama.cpp
// on the same GGUF file (Q4_1 and Q8_0, as llama.cpp computes it), greedy, one text at a time. Both take turns; medians count.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fetchCatalogue } from '#lib/platform/artifacts.ts';
import { readConfig } from '#lib/platform/config.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { median, report, root, startContestant, takeTurns } from './bench.ts';

/** What a contestant answers to the line `<tokens>`. */
export interface Generated {
  readonly ids: number[];
  /** Until the first token: the prompt's time. */
  readonly first_ms: number;
  /** Of the tokens after the first, all together. */
  readonly rest_ms: number;
  readonly peak_rss_mb: number;
}

/** Long enough that the prompt's time says something, and another one in every round: what was computed before is of no use. */
export const promptOf = (round: number): string =>
  `Evening ${round}. ${'The lighthouse keeper wrote down the weather. '.repeat(20)}Once upon a time, in a village by the sea,`;

/** llama.cpp's own library in a package, kept out of the project's dependencies. */
export const peerFolder = path.join(root, '.cache/peers-node');
const peerPackages = ['node-llama-cpp@3.22.1', '@node-llama-cpp/linux-x64@3.22.1'];

function installPeer(): void {
  if (existsSync(path.join(peerFolder, 'node_modules/node-llama-cpp'))) return;
  mkdirSync(peerFolder, { recursive: true });
  writeFileSync(path.join(peerFolder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const args = ['install', '--ignore-scripts', '--omit=optional', '--legacy-peer-deps', '--no-audit', ...peerPackages];
  execFileSync('npm', args, { cwd: peerFolder, stdio: 'inherit' });
}

async function main({ rounds = 7, tokens = 64 } = {}): Promise<void> {
  installPeer();
  const { files } = await fetchCatalogue('smollm2-135m-instruct', readConfig(platformSettings, process.env));
  const [file = ''] = Object.values(files);
  await using stack = new AsyncDisposableStack();
  const contestants = [
    startContestant('strata', [process.execPath, 'tests/bench/generate-strata.ts', file]),
    startContestant('llama.cpp', [process.execPath, 'tests/bench/peers/generate-llama-cpp.ts', file]),
  ];
  for (const contestant of contestants) stack.use(contestant);
  await takeTurns(contestants, { rounds: 1, line: '8' }); // loads, and warms up
  const answers = await takeTurns<Generated>(contestants, { rounds, line: String(tokens) });
  const figures = [...answers].map(([name, all]) => ({
    name,
    tokens_per_second: Math.round((10_000 * (tokens - 1)) / median(all.map(({ rest_ms }) => rest_ms))) / 10,
    first_token_ms: Math.round(median(all.map(({ first_ms }) => first_ms))),
    peak_rss_mb: Math.round(Math.max(...all.map(({ peak_rss_mb }) => peak_rss_mb))),
  }));
  console.table(figures);
  const [ours, theirs] = figures.map(({ tokens_per_second }) => tokens_per_second) as [number, number];
  const [a, b] = [...answers.values()].map((all) => all[0]?.ids ?? []) as [number[], number[]];
  const difference = a.findIndex((id, i) => id !== b[i]);
  const same_tokens = difference === -1 ? a.length : difference;
  report({ bench: 'generate', ratio: Number((ours / theirs).toFixed(3)), goal: 0.7, tokens, same_tokens, figures });
}

if (import.meta.main) await main();
