import { expect, test } from '@jest/globals';
import { useHarness } from '../contract/harness.ts';
import { describeKeyValue } from '../contract/key-value.ts';
import { openBesides, useNats } from './harness.fixture.ts';

const { createHarness } = useNats();

describeKeyValue('NATS', createHarness);

const { open, config } = useHarness(createHarness);

const besides = async () => openBesides(await config());

test('a deletion takes the earlier values along, and its marker expires', async () => {
  const { state } = await open();
  await using other = await besides();
  for (let i = 0; i < 5; i++) await state.put('k', i);
  await state.delete('k');
  const stream = `KV_${other.prefix}-state`;
  const { state: counts } = await other.jsm.streams.info(stream);
  expect(counts.messages).toBe(1);
  const marker = await other.jsm.streams.getMessage(stream, { seq: counts.last_seq });
  expect(marker?.header.get('Nats-TTL')).toBe('24h');
});

test('an entry that is no JSON is told as such, with its key', async () => {
  const { state } = await open();
  await using other = await besides();
  other.nc.publish(`$KV.${other.prefix}-state.strange`, 'no json');
  await other.nc.flush();
  await expect(state.get('strange')).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('"strange"'),
  });
});

test('watches that have ended leave nothing on the server', async () => {
  const { state } = await open();
  await using other = await besides();
  const abort = new AbortController();
  const watching = (async () => {
    for await (const change of state.watch('k', { signal: abort.signal }))
      if (change.kind === 'put') return change.value;
    return undefined;
  })();
  await state.put('k', 1);
  expect(await watching).toBe(1);
  await state.list('k');
  const stream = `KV_${other.prefix}-state`;
  const count = async () => (await other.jsm.streams.info(stream)).state.consumer_count;
  for (const end = Date.now() + 5000; (await count()) > 0 && Date.now() < end; );
  expect(await count()).toBe(0);
});
