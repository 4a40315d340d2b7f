// What every KeyValue keeps to.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { type Change, type KeyValue, update } from '../key-value.ts';
import { type CreateHarness, useHarness } from './harness.ts';

/** The next `count` changes under a prefix. */
async function take(changes: AsyncIterable<Change>, count: number): Promise<[string, string, unknown?][]> {
  const taken: [string, string, unknown?][] = [];
  for await (const change of changes) {
    taken.push(change.kind === 'put' ? ['put', change.key, change.value] : ['delete', change.key]);
    if (taken.length === count) break;
  }
  return taken;
}

const keysBelow = async (state: KeyValue, prefix: string) => (await state.list(prefix)).map(({ key }) => key);

export function describeKeyValue(name: string, create: CreateHarness): void {
  describe(`key-value store: ${name}`, () => {
    const { open, spawn } = useHarness(create);

    test('gives back JSON as it was put, for every client', async () => {
      const { state } = await open();
      const value = { text: 'é "\n', list: [1, null, { deep: true }], number: 1.5e-7 };
      const revision = await state.put('runs.a', value);
      expect(await (await open()).state.get('runs.a')).toEqual({ key: 'runs.a', value, revision });
      expect(await state.get('runs.b')).toBeUndefined();
    });

    test('a write over an expected revision succeeds once; the loser is told ABORTED and changes nothing', async () => {
      const { state } = await open();
      const revision = await state.put('k', 'first');
      const next = await state.put('k', 'second', { expectedRevision: revision });
      await expect(state.put('k', 'late', { expectedRevision: revision })).rejects.toMatchObject({ code: 'ABORTED' });
      await expect(state.delete('k', { expectedRevision: revision })).rejects.toMatchObject({ code: 'ABORTED' });
      expect(await state.get('k')).toMatchObject({ value: 'second', revision: next });
    });

    test('revision 0 creates: only where nothing is, also after a delete', async () => {
      const { state } = await open();
      await state.put('k', 1, { expectedRevision: 0 });
      await expect(state.put('k', 2, { expectedRevision: 0 })).rejects.toMatchObject({ code: 'ABORTED' });
      await state.delete('k');
      expect(await state.get('k')).toBeUndefined();
      await state.put('k', 3, { expectedRevision: 0 });
      expect(await state.get('k')).toMatchObject({ value: 3 });
    });

    test('a deleted and recreated key has a new revision: an old one never fits again', async () => {
      const { state } = await open();
      const old = await state.put('k', 1);
      await state.delete('k');
      await state.put('k', 1);
      await expect(state.put('k', 2, { expectedRevision: old })).rejects.toMatchObject({ code: 'ABORTED' });
    });

    test('deleting what is not there is no error', async () => {
      await (await open()).state.delete('nothing');
    });

    test('list ends at the border of a token, and sorts by key', async () => {
      const { state } = await open();
      for (const key of ['runs.b', 'runs.a.x', 'runs.a', 'runs', 'runsets.a', 'run.a']) await state.put(key, key);
      expect(await keysBelow(state, 'runs')).toEqual(['runs.a', 'runs.a.x', 'runs.b']);
      expect(await keysBelow(state, 'runs.a')).toEqual(['runs.a.x']);
      expect(await keysBelow(state, 'nothing')).toEqual([]);
    });

    test('keys outside the rules are refused', async () => {
      const { state } = await open();
      for (const key of ['', '.a', 'a.', 'a..b', 'a b', 'a*', 'ä']) {
        await expect(state.put(key, 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    });

    test('a value that is no JSON, or more than a megabyte of it, is refused', async () => {
      const { state } = await open();
      await expect(state.put('k', undefined)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await state.put('k', 'x'.repeat(999_000));
      await expect(state.put('k', 'x'.repeat(1_000_000))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    test('watch gives what is there, then every change, and itself and below only', async () => {
      const { state } = await open();
      await state.put('runs.a', 1);
      const changes = take(state.watch('runs'), 4);
      await delay(20);
      await state.put('other', 1);
      await state.put('runs.b', 2);
      await delay(100);
      await state.delete('runs.a');
      await delay(100);
      await state.put('runs', 3);
      expect(await changes).toEqual([
        ['put', 'runs.a', 1],
        ['put', 'runs.b', 2],
        ['delete', 'runs.a'],
        ['put', 'runs', 3],
      ]);
    });

    test('watch from now leaves out what is there, counted from the call', async () => {
      const { state } = await open();
      await state.put('runs.a', 1);
      const watch = state.watch('runs', { fromNow: true });
      await state.put('runs.b', 2);
      expect(await take(watch, 1)).toEqual([['put', 'runs.b', 2]]);
    });

    test('the last value of a key always arrives, however fast it changes', async () => {
      const { state } = await open();
      const other = (await open()).state;
      const last = (async () => {
        for await (const change of other.watch('k')) if (change.kind === 'put' && change.value === 500) return true;
        return false;
      })();
      for (let i = 1; i <= 500; i++) await state.put('k', i);
      expect(await last).toBe(true);
    });

    test('an abort ends a watch quietly', async () => {
      const { state } = await open();
      const abort = new AbortController();
      const changes = take(state.watch('k', { signal: abort.signal }), 1);
      setTimeout(() => abort.abort(), 20);
      expect(await changes).toEqual([]);
    });

    test('update loses nothing between clients', async () => {
      const stores = [(await open()).state, (await open()).state];
      const add = (store: KeyValue) => update<number>(store, 'n', (value = 0) => value + 1);
      await Promise.all(Array.from({ length: 40 }, (_, i) => add(stores[i % 2] as KeyValue)));
      expect(await stores[0]?.get('n')).toMatchObject({ value: 40 });
    });

    test('update leaves the store alone where there is nothing to change', async () => {
      const { state } = await open();
      const revision = await state.put('k', 1);
      expect(await update<number>(state, 'k', () => undefined)).toBe(1);
      expect(await state.get('k')).toMatchObject({ revision });
    });

    test('update loses nothing between processes', async () => {
      const { state } = await open();
      const children = [await spawn('increment', 'n', 200), await spawn('increment', 'n', 200)];
      for (let i = 0; i < 200; i++) await update<number>(state, 'n', (value = 0) => value + 1);
      expect(await Promise.all(children.map((child) => child.exited()))).toEqual([0, 0]);
      expect(await state.get('n')).toMatchObject({ value: 600 });
    });

    test('a change of another process reaches a watcher', async () => {
      const { state } = await open();
      const changes = take(state.watch('n'), 1);
      const child = await spawn('increment', 'n', 1);
      await child.exited();
      expect(await changes).toEqual([['put', 'n', 1]]);
    });
  });
}
