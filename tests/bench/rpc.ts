// `make bench NAME=rpc`: what our server and client cost over bare @grpc/grpc-js, for calls of one small message each way (16 at once) and for a
// stream of small messages. Both sides of each contestant are processes of their own; rounds alternate; medians count. With tracing off, as it
// is by default, and on, sent to a collector that throws it away. `ratio` is the lower one of calls and messages a second, with tracing off.
import { createServer } from 'node:http';
import { type Contestant, median, report, startContestant } from './bench.ts';

const rounds = 9;
const calls = 3000;
const messages = 60_000;

interface Measured {
  perSecond: number;
  cpuMicroseconds: number;
}

const collector = createServer((request, response) => request.resume().on('end', () => response.end('{}')));
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
const { port } = collector.address() as { port: number };

const program = new URL('./rpc-caller.ts', import.meta.url).pathname;
const start = (name: string, ...args: string[]): Contestant =>
  startContestant(name, [process.execPath, program, ...args]);
const contestants = [
  start('ours', 'ours'),
  start('traced', 'ours', `http://127.0.0.1:${port}`),
  start('grpc-js', 'bare'),
];

/** Of each contestant, the medians of calls or messages a second, and of the processor time of one. */
async function race(line: string): Promise<Record<string, Measured>> {
  const measured = new Map(contestants.map(({ name }) => [name, [] as Measured[]]));
  for (let round = 0; round <= rounds; round++) {
    // Nobody is always the first.
    for (let i = 0; i < contestants.length; i++) {
      const contestant = contestants[(round + i) % contestants.length] as Contestant;
      const answer = await contestant.ask<Measured>(line);
      if (round > 0) measured.get(contestant.name)?.push(answer);
    }
  }
  const summary = [...measured].map(([name, all]) => {
    const perSecond = Math.round(median(all.map((one) => one.perSecond)));
    return [name, { perSecond, cpuMicroseconds: Number(median(all.map((one) => one.cpuMicroseconds)).toFixed(1)) }];
  });
  return Object.fromEntries(summary);
}

const share = (measured: Record<string, Measured>, name: string): number =>
  Number(((measured[name]?.perSecond ?? 0) / (measured['grpc-js']?.perSecond ?? 1)).toFixed(3));
const cpuShare = (measured: Record<string, Measured>, name: string): number =>
  Number(((measured['grpc-js']?.cpuMicroseconds ?? 0) / (measured[name]?.cpuMicroseconds ?? 1)).toFixed(3));

const unary = await race(`unary ${calls}`);
const stream = await race(`stream ${messages}`);
for (const contestant of contestants) await contestant[Symbol.asyncDispose]();
collector.closeAllConnections();
collector.close();

report({
  bench: 'rpc',
  ratio: Math.min(share(unary, 'ours'), share(stream, 'ours')),
  goal: 0.8,
  unary: {
    ratio: share(unary, 'ours'),
    cpu_ratio: cpuShare(unary, 'ours'),
    traced_ratio: share(unary, 'traced'),
    ...unary,
  },
  stream: {
    ratio: share(stream, 'ours'),
    cpu_ratio: cpuShare(stream, 'ours'),
    traced_ratio: share(stream, 'traced'),
    ...stream,
  },
  rounds,
});
