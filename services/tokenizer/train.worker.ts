// The thread that makes tokenizers: reads text files, counts, learns. One thread a training, ended with it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { invalidArgument } from '#lib/platform/errors.ts';
import { serveWorker, type WorkerCall } from '#lib/platform/worker-call.ts';
import { createPieceCounter } from '#lib/text/count-pieces.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import { gpt2PreTokenizer } from '#lib/text/pre-tokenizers.ts';
import type { Tokenizer, TokenizerKind } from '#lib/text/tokenizer.ts';
import { writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { trainBpe } from '#lib/text/train-bpe.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import { describe } from './describe.ts';

export interface TrainOptions {
  kind: TokenizerKind;
  vocabSize: number;
  specialTokens: string[];
}

export interface TextFile {
  path: string;
  /** The request's field that names it. */
  field: string;
  /** Lower-case hex, or empty: not checked. */
  sha256: string;
}

/** Takes text in chunks, and makes a tokenizer of all that came. */
interface Learner {
  file(): { push(text: string): void; end(): void; waitingLength(): number };
  finish(onProgress: (done: number, total: number) => void): Tokenizer;
  isEmpty(): boolean;
}

const createLearner = ({ kind, vocabSize, specialTokens }: TrainOptions): Learner => {
  switch (kind) {
    case 'byte-bpe': {
      const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer, specialTokens });
      return {
        file: () => counter.stream(),
        finish: (onProgress) => trainBpe(counter.counts(), { vocabSize, specialTokens, onProgress }),
        isEmpty: () => counter.counts().size === 0,
      };
    }
    case 'char': {
      const unknownToken = specialTokens.find((token) => token === '<unk>');
      const trainer = createCharTrainer({ specialTokens, unknownToken });
      let isEmpty = true;
      const push = (text: string): void => {
        isEmpty &&= text === '';
        trainer.add(text);
      };
      return {
        file: () => ({ push, end: () => undefined, waitingLength: () => 0 }),
        finish: () => trainer.finish(),
        isEmpty: () => isEmpty,
      };
    }
    default:
      throw kind satisfies never;
  }
};

/** UTF-16 units. */
const longestWaiting = 32 * 1024 * 1024;

let learner: Learner | undefined;

const toMade = (tokenizer: Tokenizer) => {
  const files = writeTokenizerFiles(tokenizer);
  return { files, description: describe(tokenizer, files['tokenizer.json']) };
};

const methods = {
  begin: async (options: TrainOptions) => {
    learner = createLearner(options);
  },
  /** Progress: bytes read so far. */
  addFile: async ({ path, field, sha256 }: TextFile, { progress }: WorkerCall) => {
    const text = (learner as Learner).file();
    const hash = createHash('sha256');
    const utf8 = new TextDecoder('utf-8', { fatal: true });
    let size = 0;
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      text.push(decode(utf8, field, size, chunk));
      size += chunk.length;
      if (text.waitingLength() > longestWaiting) {
        throw invalidArgument(
          field,
          `has ${longestWaiting} characters without an end of a word before byte ${size}: is it text?`,
        );
      }
      progress(size);
    }
    text.push(decode(utf8, field, size));
    text.end();
    const found = hash.digest('hex');
    if (sha256 && found !== sha256) throw invalidArgument(`${field}.sha256`, `the object's SHA-256 is ${found}`);
  },
  /** Progress: [ids so far, ids in all]. */
  finish: async (_: null, { progress }: WorkerCall) => {
    const { isEmpty, finish } = learner as Learner;
    if (isEmpty()) throw invalidArgument('sources', 'there is no text in them');
    return toMade(finish((...at) => progress(at)));
  },
  builtIn: async (name: string) => {
    if (name !== 'gpt2') throw invalidArgument('tokenizer.name', `"${name}" is not built in`);
    return toMade(createGpt2Tokenizer());
  },
};

export type TrainMethods = typeof methods;

const decode = (utf8: InstanceType<typeof TextDecoder>, field: string, offset: number, chunk?: Buffer): string => {
  try {
    return chunk ? utf8.decode(chunk, { stream: true }) : utf8.decode();
  } catch {
    const where = chunk ? `between byte ${offset} and ${offset + chunk.length}` : 'at its end';
    throw invalidArgument(field, `is not UTF-8 text (${where})`);
  }
};

serveWorker(methods);
