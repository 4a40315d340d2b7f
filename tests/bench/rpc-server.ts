// One side of `make bench NAME=rpc`: a server of the same two methods, ours (serveGrpc) or bare grpc-js: `node rpc-server.ts ours|bare [OTLP endpoint]`.
// Says its address on the first line; answers each line on standard input with the processor time it has used, in microseconds.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import {
  type GenerateRequest,
  type GenerateResponse,
  InferenceServiceDefinition,
  type InferenceServiceImplementation,
  type ScoreRequest,
  type ScoreResponse,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { readConfig } from '#lib/platform/config.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { telemetrySettings } from '#lib/platform/telemetry/settings.ts';
import { openTelemetry } from '#lib/platform/telemetry.ts';
import { bareMethods } from './rpc-contract.ts';

/** What both answer: the number of items; as many messages as are asked for. */
const score = ({ items }: ScoreRequest): ScoreResponse => ({
  scores: [],
  model: { name: 'bench', version: `v${items.length}` },
});
const message = (index: number): GenerateResponse => ({
  text: ' token',
  ids: Buffer.from([index & 255, 1, 0, 0]),
  logprobs: [],
  finishReason: 0,
  model: undefined,
  seed: 0,
  usage: undefined,
});
const countOf = ({ sampling }: GenerateRequest): number => sampling?.maxTokens ?? 0;

const unused = Object.fromEntries(
  Object.keys(InferenceServiceDefinition.methods).map((name) => [name, async () => ({})]),
) as unknown as InferenceServiceImplementation;

/** As runService starts one: with everything that observes calls. */
async function serveOurs(otlpEndpoint: string): Promise<string> {
  const implementation: InferenceServiceImplementation = {
    ...unused,
    score: async (request) => score(request),
    async *generate(request) {
      for (let index = 0; index < countOf(request); index++) yield message(index);
    },
  };
  const services = [implement(InferenceServiceDefinition, implementation)];
  const telemetry = await openTelemetry(readConfig(telemetrySettings, { STRATA_OTLP_ENDPOINT: otlpEndpoint }));
  const log = createLogger({ service: 'bench' });
  const { address } = await serveGrpc({ ...telemetry.of('bench'), services, bind: '127.0.0.1', port: 0, log });
  return address;
}

async function serveBare(): Promise<string> {
  const server = new Server();
  server.addService(bareMethods as never, {
    score: ({ request }: ServerUnaryCall<ScoreRequest, ScoreResponse>, answer: sendUnaryData<ScoreResponse>) =>
      answer(null, score(request)),
    async generate(call: ServerWritableStream<GenerateRequest, GenerateResponse>) {
      for (let index = 0; index < countOf(call.request); index++) {
        if (!call.write(message(index))) await once(call, 'drain');
      }
      call.end();
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return `127.0.0.1:${port}`;
}

const [, , kind, otlpEndpoint = ''] = process.argv;
console.log(await (kind === 'bare' ? serveBare() : serveOurs(otlpEndpoint)));
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  console.log(user + system);
}
process.exit();
