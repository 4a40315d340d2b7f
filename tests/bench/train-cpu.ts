// `make bench NAME=train-cpu`: tokens a second of whole training steps (forward, backward, clipping, AdamW) beside PyTorch's on the
// same shapes: eager and compiled, with one thread and with two, the best of them counts. Everybody takes turns; medians count.
import { median, peersPython, report, startContestant, takeTurns } from './bench.ts';

interface Segment {
  readonly ms: number[];
  readonly peak_rss_mb: number;
}

const workloads = [
  // nanoGPT's CPU configuration
  { layers: 4, heads: 4, width: 128, block: 64, batch: 12, vocabulary: 65, steps: 30, rounds: 7 },
  { layers: 6, heads: 6, width: 384, block: 256, batch: 8, vocabulary: 65, steps: 3, rounds: 5 },
];

const peers = [
  { name: 'pytorch eager, 1 thread', threads: 1, compiled: false },
  { name: 'pytorch eager, 2 threads', threads: 2, compiled: false },
  { name: 'pytorch compiled, 1 thread', threads: 1, compiled: true },
  { name: 'pytorch compiled, 2 threads', threads: 2, compiled: true },
];

const results = [];
for (const workload of workloads) results.push(await measure(workload));
report({ bench: 'train-cpu', ratio: Math.min(...results.map(({ ratio }) => ratio)), goal: 1, results });

async function measure({ steps, rounds, ...shape }: (typeof workloads)[number]) {
  const ours = { name: 'strata', threads: 2 };
  await using stack = new AsyncDisposableStack();
  const contestants = [
    startContestant(ours.name, [process.execPath, 'tests/bench/train-gpt.ts', JSON.stringify({ ...shape, ...ours })]),
    // -P: the script's folder is not where Python looks for its own modules
    ...peers.map(({ name, ...how }) =>
      startContestant(name, [
        peersPython(),
        '-P',
        'tests/bench/peers/train_gpt.py',
        JSON.stringify({ ...shape, ...how }),
      ]),
    ),
  ];
  for (const contestant of contestants) stack.use(contestant);
  await takeTurns(contestants, { rounds: 1, line: '2' }); // compiles, and warms up
  const answers = await takeTurns<Segment>(contestants, { rounds, line: String(steps) });

  const tokens = shape.batch * shape.block;
  const figures = [...answers].map(([name, segments]) => ({
    name,
    tokens_per_second: Math.round((tokens / median(segments.flatMap(({ ms }) => ms))) * 1e3),
    peak_rss_mb: Math.round(Math.max(...segments.map(({ peak_rss_mb }) => peak_rss_mb))),
  }));
  const speedOf = (wanted: string) => figures.find(({ name }) => name === wanted)?.tokens_per_second ?? Number.NaN;
  const best = Math.max(...peers.map(({ name }) => speedOf(name)));
  const label = `${shape.layers} layers, ${shape.width} wide, block ${shape.block}, batch ${shape.batch}`;
  const ratio = speedOf(ours.name) / best;
  console.log(`${label}: ${ratio.toFixed(3)} of PyTorch's best`);
  console.table(figures);
  return { workload: label, ratio: Number(ratio.toFixed(3)), figures };
}
