// The calling side of `make bench NAME=rpc`: `node rpc-caller.ts ours|bare [OTLP endpoint]`, with its own server in another process.
// Each line on standard input (`unary 2000`, `stream 20000`) is answered by calls or messages a second.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Client, credentials } from '@grpc/grpc-js';
import {
  GenerateRequest,
  type GenerateResponse,
  InferenceServiceDefinition,
  ScoreRequest,
  type ScoreResponse,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { readConfig } from '#lib/platform/config.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { telemetrySettings } from '#lib/platform/telemetry/settings.ts';
import { openTelemetry, type ServiceTelemetry } from '#lib/platform/telemetry.ts';
import { bareMethods } from './rpc-contract.ts';

interface Caller {
  unary(): Promise<unknown>;
  /** Reads a stream of so many messages; says how many came. */
  stream(count: number): Promise<number>;
}

const request = ScoreRequest.fromPartial({
  model: { name: 'bench' },
  items: [{ context: 'to be', continuation: ' or not' }],
});
const streamOf = (maxTokens: number) =>
  GenerateRequest.fromPartial({ model: { name: 'bench' }, sampling: { maxTokens } });

function callOurs(address: string, { tracing }: ServiceTelemetry): Caller {
  const { client } = connect(InferenceServiceDefinition, address, { tracing });
  const traced = <T>(work: () => Promise<T>): Promise<T> => tracing.span('bench', {}, work);
  return {
    unary: () => traced(() => client.score(request)),
    stream: (count) => traced(() => read(count)),
  };
  async function read(count: number): Promise<number> {
    let seen = 0;
    for await (const { text } of client.generate(streamOf(count))) seen += Math.sign(text.length);
    return seen;
  }
}

function callBare(address: string): Caller {
  const client = new Client(address, credentials.createInsecure());
  const { score, generate } = bareMethods;
  return {
    unary: () =>
      new Promise<ScoreResponse | undefined>((resolve, reject) => {
        client.makeUnaryRequest(
          score.path,
          score.requestSerialize,
          score.responseDeserialize,
          request,
          (error, answer) => (error ? reject(error) : resolve(answer)),
        );
      }),
    stream: (count) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = generate;
        let seen = 0;
        client
          .makeServerStreamRequest(path, requestSerialize, responseDeserialize, streamOf(count))
          .on('data', ({ text }: GenerateResponse) => (seen += Math.sign(text.length)))
          .on('error', reject)
          .on('end', () => resolve(seen));
      }),
  };
}

const concurrency = 16;

async function callMany(count: number): Promise<void> {
  let left = count;
  const loop = async (): Promise<void> => {
    while (left-- > 0) await caller.unary();
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
}

async function readMany(count: number): Promise<void> {
  const seen = await caller.stream(count);
  if (seen !== count) throw new Error(`${seen} messages came instead of ${count}`);
}

/** Microseconds that both processes have computed so far. */
async function cpuTime(): Promise<number> {
  server.stdin.write('\n');
  const { user, system } = process.cpuUsage();
  return user + system + Number((await fromServer.next()).value);
}

const [, , kind = 'ours', otlpEndpoint = ''] = process.argv;
const program = new URL('./rpc-server.ts', import.meta.url).pathname;
const server = spawn(process.execPath, [program, kind, otlpEndpoint], { stdio: ['pipe', 'pipe', 'ignore'] });
const fromServer = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
const telemetry = await openTelemetry(readConfig(telemetrySettings, { STRATA_OTLP_ENDPOINT: otlpEndpoint }));
const address: string = (await fromServer.next()).value ?? '';
const caller = kind === 'bare' ? callBare(address) : callOurs(address, telemetry.of('bench'));
for await (const line of createInterface({ input: process.stdin })) {
  const [what, text] = line.split(' ');
  const count = Number(text);
  const [began, cpuBegan] = [performance.now(), await cpuTime()];
  await (what === 'stream' ? readMany : callMany)(count);
  const cpu = (await cpuTime()) - cpuBegan;
  const perSecond = count / ((performance.now() - began) / 1000);
  console.log(JSON.stringify({ perSecond, cpuMicroseconds: cpu / count }));
}
server.stdin.end();
process.exit();
