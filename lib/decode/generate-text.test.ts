import { expect, test } from '@jest/globals';
import { ContextError } from './decoder.ts';
import { type GenerateOptions, generate } from './generate.ts';
import { type GenerateTextOptions, generateText, type TextPiece } from './generate-text.ts';
import { createByteDecoder, createReciter, endId, firstByte } from './recite.fixture.ts';

const greedy = { temperature: 0, seed: 0 };
const endIds = new Set([endId]);

async function recite(text: string, options: Partial<GenerateTextOptions> = {}): Promise<TextPiece[]> {
  using reciter = createReciter(text);
  using sequence = reciter.createSequence();
  const pieces: TextPiece[] = [];
  const given = { prompt: firstByte(text), sampling: greedy, decoder: createByteDecoder(), endIds, ...options };
  for await (const piece of generateText(sequence, given)) pieces.push(piece);
  return pieces;
}

const textOf = (pieces: TextPiece[]): string => pieces.map(({ text }) => text).join('');
const bytesOf = (pieces: TextPiece[]): string => Buffer.from(pieces.flatMap(({ ids }) => [...ids])).toString();

test('a character of several tokens comes whole, with the tokens behind it', async () => {
  const pieces = await recite('>a 🦊 and a ż, 中文');
  expect(textOf(pieces)).toBe('a 🦊 and a ż, 中文');
  expect(pieces.filter(({ text }) => text.includes('\ufffd'))).toEqual([]);
  expect(bytesOf(pieces)).toBe('a 🦊 and a ż, 中文');
  const fox = pieces.find(({ text }) => text === '🦊');
  expect(Buffer.from(fox?.ids ?? []).toString()).toBe('🦊');
});

test('an end token ends the text with reason stop; it is counted but neither shown nor among the tokens', async () => {
  const pieces = await recite('>end');
  expect(textOf(pieces)).toBe('end');
  expect(pieces.at(-1)).toEqual({ text: '', ids: [], logprobs: [], madeTokens: 4, finishReason: 'stop' });
  expect(pieces.slice(0, -1).map(({ finishReason }) => finishReason)).toEqual([undefined, undefined, undefined]);
});

test('a stop text and all that may become one is never shown; its tokens are left out', async () => {
  const pieces = await recite('>one\n\nUs, two\n\nUser: three', { stop: ['\n\nUser:', 'zzz'] });
  expect(textOf(pieces)).toBe('one\n\nUs, two');
  expect(bytesOf(pieces)).toBe('one\n\nUs, two');
  expect(pieces.at(-1)).toMatchObject({ finishReason: 'stop', madeTokens: 19 });
  let shown = '';
  for (const { text } of pieces) {
    shown += text;
    expect('one\n\nUs, two'.startsWith(shown)).toBe(true);
  }
});

test('what could have become a stop text is shown when the text ends', async () => {
  expect(textOf(await recite('>one\n\nUse', { stop: ['\n\nUser:'] }))).toBe('one\n\nUse');
  const cut = await recite('>one\n\nUser:', { stop: ['\n\nUser:'], maxTokens: 6 });
  expect(textOf(cut)).toBe('one\n\nU');
  expect(bytesOf(cut)).toBe('one\n\nU');
  expect(cut.at(-1)?.finishReason).toBe('length');
});

test('a text that is cut inside a character ends with a replacement for it, and only there', async () => {
  const pieces = await recite('>ab🦊', { maxTokens: 4 });
  expect(textOf(pieces)).toBe('ab\ufffd');
  expect(pieces.slice(0, -1).map(({ text }) => text)).toEqual(['a', 'b', '']);
  expect(pieces.flatMap(({ ids }) => ids)).toEqual([...Buffer.from('ab🦊')].slice(0, 4));
});

test('text goes on to the end of the context, and ends there with reason length', async () => {
  const pieces = await recite('>no end', { endIds: new Set() });
  expect(pieces).toHaveLength(63);
  expect(pieces.at(-1)).toMatchObject({ finishReason: 'length', madeTokens: 63 });
});

test('each token comes with its log-probability and the likeliest ones where they are asked for', async () => {
  const [first] = await recite('>abc', { logprobs: 2 });
  const [logprob] = first?.logprobs ?? [];
  expect(logprob).toMatchObject({ id: 97, alternatives: [{ id: 97, logprob: logprob?.logprob }, {}] });
  expect(logprob?.logprob).toBeLessThan(0);
  expect((await recite('>abc'))[0]?.logprobs).toEqual([]);
});

async function collect(options: Partial<GenerateOptions>, onToken?: (count: number) => void): Promise<number> {
  using reciter = createReciter('>abcdefgh');
  using sequence = reciter.createSequence();
  let count = 0;
  for await (const _ of generate(sequence, { prompt: firstByte('>'), sampling: greedy, ...options })) {
    onToken?.(++count);
  }
  return count;
}

test('an abort is heard before the prompt, and between two tokens', async () => {
  await expect(collect({ signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
  const abort = new AbortController();
  let seen = 0;
  const running = collect({ signal: abort.signal }, (count) => {
    seen = count;
    if (count === 3) setImmediate(() => abort.abort(new Error('left')));
  });
  await expect(running).rejects.toThrow('left');
  expect(seen).toBeLessThan(6);
});

test('a prompt that is empty, too long or no text of this model is refused in plain words', async () => {
  await expect(collect({ prompt: new Int32Array(0) })).rejects.toThrow('the prompt is empty');
  await expect(collect({ prompt: new Int32Array(64) })).rejects.toThrow(
    new ContextError('the prompt', { tokens: 64, contextSize: 64 }),
  );
  await expect(collect({ prompt: Int32Array.of(257) })).rejects.toThrow('token id 257 is not in the vocabulary of 257');
});
