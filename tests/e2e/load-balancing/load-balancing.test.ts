// A client that was connected before pods were added: within the age of a connection it finds them, and each gets its share.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { services as entries } from '#lib/contracts/services.ts';
import { release } from '../frame/places.ts';
import { clientLabels } from '../support/client.ts';
import { kubectl, list } from '../support/kubectl.ts';
import { callsServed } from '../support/metrics.ts';
import { finishPod, type Pod, startPod } from '../support/pods.ts';
import { revision, rollBackTo, upgrade } from '../support/release.ts';
import { waitFor } from '../support/wait-for.ts';

/** One client, one call after the other until it is told to stop; every call has to be answered. */
const caller = `
import { existsSync } from 'node:fs';
import { connect } from '#lib/platform/grpc-client.ts';
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
const { client } = connect(TokenizerServiceDefinition, process.argv[1]);
let calls = 0;
for (; !existsSync('/tmp/stop'); calls++) {
  await client.countTokens({ tokenizer: { name: 'gpt2', version: '' }, text: 'a boat' });
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(calls);
process.exit(0);`;

const component = 'app.kubernetes.io/component=tokenizer';

/** Calls that each pod of now has served. */
async function callsOfPods(): Promise<number[]> {
  const pods = (await list<Pod>('pods', component)).filter(({ metadata }) => !metadata.deletionTimestamp);
  return Promise.all(pods.map(({ metadata }) => callsServed(metadata.name, 'CountTokens')));
}

let before = 0;
beforeAll(async () => {
  before = await revision();
});
afterAll(() => rollBackTo(before), 200_000);

test('pods that are added get their share of a client that was connected before', async () => {
  expect(await callsOfPods()).toHaveLength(1);
  const address = `dns:///${release.name}-tokenizer:${entries.tokenizer.port}`;
  const command = ['node', '--input-type=module-typescript', '-e', caller, '--', address];
  await startPod({ name: 'caller', command, labels: clientLabels });
  await kubectl(['wait', 'pod', 'caller', '--for=condition=Ready', '--timeout=60s']);
  await upgrade('tokenizer.replicas=2');
  // As old as a connection and a cached name may become.
  const limit = { timeoutMs: 150_000, everyMs: 2000 };
  const isShared = (calls: number[]) => calls.length === 2 && calls.every((count) => count > 50);
  await waitFor('calls to both pods', callsOfPods, isShared, limit);
  await kubectl(['exec', 'caller', '--', 'touch', '/tmp/stop']);
  const { succeeded, output } = await finishPod('caller');
  expect([succeeded, output]).toEqual([true, expect.stringMatching(/^\d+\s*$/)]);
}, 300_000);
