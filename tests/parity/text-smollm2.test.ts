// SmolLM2's tokenizer, from its GGUF file, against the ids that `transformers` gave (smollm2_reference.json).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect } from '@jest/globals';
import { withReader } from '#lib/model/formats/byte-source.ts';
import { readGgufHeader } from '#lib/model/formats/gguf.ts';
import { createChat } from '#lib/text/chat.ts';
import type { ChatMessage } from '#lib/text/chat-message.ts';
import { fromGgufMetadata } from '#lib/text/gguf-tokenizer.ts';
import { loadTokenizer } from '#lib/text/load-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { testWithData } from '../support/data-dir.ts';
import { fetchTimeoutMs, smollm2File } from '../support/smollm2.ts';

interface Reference {
  readonly completions: { text: string; ids: number[]; greedy_ids: number[]; greedy_text: string }[];
  readonly chats: {
    messages: ChatMessage[];
    prompt: string;
    ids: number[];
    greedy_ids: number[];
    greedy_text: string;
  }[];
  readonly scores: { tinyshakespeare_val: { ids_first: number[]; total_ids: number } };
}

const reference = (dir: string): Reference =>
  JSON.parse(readFileSync(path.join(dir, 'smollm2_reference.json'), 'utf8'));
const numbers = (ids: Int32Array): number[] => Array.from(ids);

let tokenizer: Tokenizer;
beforeAll(async () => {
  const { metadata } = await withReader(await smollm2File(), readGgufHeader);
  tokenizer = fromGgufMetadata(metadata);
}, fetchTimeoutMs);

testWithData('texts have the same ids, and generated ids the same text', (dir) => {
  for (const { text, ids, greedy_ids, greedy_text } of reference(dir).completions) {
    expect(numbers(tokenizer.encode(text))).toEqual(ids);
    expect(tokenizer.decode(greedy_ids)).toBe(greedy_text);
  }
});

testWithData('chats have the same prompts and ids', (dir) => {
  const chat = createChat(tokenizer);
  for (const { messages, prompt, ids, greedy_ids, greedy_text } of reference(dir).chats) {
    const rendered = chat.render(messages, { addGenerationPrompt: true });
    expect(rendered.prompt).toBe(prompt);
    expect(numbers(rendered.ids)).toEqual(ids);
    expect(tokenizer.decode(greedy_ids)).toBe(greedy_text);
  }
});

testWithData("in its chats only the assistant's answers carry loss, each with its end token", (dir) => {
  const { messages } = reference(dir).chats.find((chat) => chat.messages.length === 3) ?? { messages: [] };
  const answered = [...messages, { role: 'assistant', content: 'Your name is Ada.' }];
  const { ids, mask } = createChat(tokenizer).renderWithMask(answered);
  expect(tokenizer.decode(ids.filter((_, i) => mask[i] === 1))).toBe('Hello Ada.<|im_end|>Your name is Ada.<|im_end|>');
  const asked = createChat(tokenizer).render(messages, { addGenerationPrompt: true });
  expect(numbers(ids.subarray(0, asked.ids.length))).toEqual(numbers(asked.ids));
});

testWithData("Shakespeare's validation part has as many ids, and the same first ones", (dir) => {
  const text = readFileSync(path.join(dir, 'tinyshakespeare/input.txt'), 'utf8');
  const ids = tokenizer.encode(text.slice(Math.floor(text.length * 0.9)));
  const { ids_first, total_ids } = reference(dir).scores.tinyshakespeare_val;
  expect(ids.length).toBe(total_ids);
  expect(numbers(ids.subarray(0, ids_first.length))).toEqual(ids_first);
});

testWithData('as tokenizer.json it is the same tokenizer', (dir) => {
  const loaded = loadTokenizer(JSON.parse(JSON.stringify(tokenizer)), tokenizer.toConfig());
  for (const { text, ids } of reference(dir).completions) expect(numbers(loaded.encode(text))).toEqual(ids);
  expect([loaded.vocabSize, loaded.bosId, loaded.eosId, loaded.padId]).toEqual([49152, 1, 2, 2]);
  expect(loaded.chatTemplate).toBe(tokenizer.chatTemplate);
});
