// T11 for the decode graphs: logits of models with random weights against Hugging Face's.
import { expect, test } from '@jest/globals';
import { Decoder } from '#lib/decode/decoder.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { withReader } from '#lib/model/formats/byte-source.ts';
import { readSafetensors, readSafetensorsHeader } from '#lib/model/formats/safetensors.ts';
import { goldenPath, largestDifference } from './golden.ts';

test.each(['gpt2', 'gpt2-classifier', 'llama', 'llama-classifier'])('%s: logits are within 1e-4', async (name) => {
  const file = goldenPath(`models/${name}.safetensors`);
  const { metadata } = await withReader(file, readSafetensorsHeader);
  const all = await readSafetensors(file);
  const prefix = 'weights.';
  const tensors = new Map([...all].map(([key, tensor]) => [key.replace(prefix, ''), tensor]));
  const values = (key: string) => all.get(key)?.data ?? new Float32Array();
  const [rows = 0, columns = 0] = all.get('ids')?.shape ?? [];
  const expected = values('logits');
  const config = parseConfig(metadata.config ?? '');

  using decoder = new Decoder({ config, weights: { tensors }, threads: 1 });
  using sequence = decoder.createSequence();
  for (let row = 0; row < rows; row++) {
    const length = config.labels ? (values('lengths')[row] ?? 0) : columns;
    const ids = Int32Array.from(values('ids').subarray(row * columns, row * columns + length));
    sequence.truncate(0);
    const logits = sequence.append(ids, config.labels ? 1 : columns);
    const wanted = expected.subarray(row * logits.length, (row + 1) * logits.length);
    expect(largestDifference(logits, wanted)).toBeLessThan(1e-4);
  }
});
