// A client that was connected before pods were added: within the age of a connection it finds them, and each gets its share.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { services as entries } from '#lib/contracts/services.ts';
import { release } from '../frame/places.ts';
import { clientLabels } from '../support/client.ts';
import { kubectl, list } from '../support/kubectl.ts';
import { callsServed } from '../support/metrics.ts';
import { finishPod, type Pod, startPod } from '../support/pods.ts';
import { revision, rollBackTo, upgrade } from '../support/release.ts';

const seconds = 55;

/** One connection, one call after the other; every call has to be answered. */
const caller = `
import { connect } from '#lib/platform/grpc-client.ts';
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
const { client } = connect(TokenizerServiceDefinition, process.argv[1]);
let calls = 0;
for (const end = Date.now() + ${seconds * 1000}; Date.now() < end; calls++) {
  await client.countTokens({ tokenizer: { name: 'gpt2', version: '' }, text: 'a boat' });
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log(calls);
process.exit(0);`;

const pods = (): Promise<Pod[]> => list<Pod>('pods', 'app.kubernetes.io/component=tokenizer');

let before = 0;
beforeAll(async () => {
  before = await revision();
});
afterAll(() => rollBackTo(before), 200_000);

test('pods that are added get their share of a client that was connected before', async () => {
  expect(await pods()).toHaveLength(1);
  const address = `dns:///${release.name}-tokenizer:${entries.tokenizer.port}`;
  const command = ['node', '--input-type=module-typescript', '-e', caller, '--', address];
  await startPod({ name: 'caller', command, labels: clientLabels });
  await kubectl(['wait', 'pod', 'caller', '--for=condition=Ready', '--timeout=60s']);
  await upgrade('tokenizer.replicas=2');
  const { succeeded, output } = await finishPod('caller', 120_000);
  expect([succeeded, output]).toEqual([true, expect.stringMatching(/^\d+\s*$/)]);
  const names = (await pods()).map(({ metadata }) => metadata.name);
  const served = await Promise.all(names.map((pod) => callsServed(pod, 'CountTokens')));
  expect(served).toHaveLength(2);
  expect(Math.min(...served)).toBeGreaterThan(50);
}, 300_000);
