// pre_tokenizer of tokenizer.json -> PreTokenizer. Known: ByteLevel, Digits, Split, and Sequence of these.

import {
  gpt2PreTokenizer,
  type PreTokenizer,
  smollmPreTokenizer,
  splitByRegex,
  splitInTurn,
} from './pre-tokenizers.ts';
import { TokenizerFormatError } from './tokenizer.ts';
import type { StageJson } from './tokenizer-json.ts';

/** Expressions of published vocabularies that a stream may be cut after words of; of others nothing is known. */
const wordPatterns = new Set([
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

export const readPreTokenizer = (json: StageJson | null): PreTokenizer => {
  if (json === null) throw new TokenizerFormatError('pre_tokenizer is null; a byte-level vocabulary needs ByteLevel');
  const stages = stagesOf(json);
  if (!stages.some(({ type }) => type === 'ByteLevel')) {
    throw new TokenizerFormatError(
      `pre_tokenizer has no ByteLevel stage (it has: ${stages.map(({ type }) => type).join(', ')})`,
    );
  }
  if (isSmollm(stages)) return { ...smollmPreTokenizer, json };
  const parts = stages.map(readStage);
  return {
    split: splitInTurn(parts.map(({ split }) => split)),
    cutsAfterWords: parts.every(({ cutsAfterWords }) => cutsAfterWords),
    json,
  };
};

const stagesOf = (json: StageJson): StageJson[] =>
  json.type === 'Sequence' ? (json.pretokenizers as StageJson[]).flatMap(stagesOf) : [json];

const isSmollm = ([first, second, ...more]: readonly StageJson[]): boolean =>
  more.length === 0 &&
  first?.type === 'Digits' &&
  first.individual_digits === true &&
  second?.type === 'ByteLevel' &&
  second.use_regex !== false &&
  second.add_prefix_space !== true;

type Part = Omit<PreTokenizer, 'json'>;

const readStage = (stage: StageJson): Part => {
  switch (stage.type) {
    case 'ByteLevel':
      return readByteLevel(stage);
    case 'Digits':
      return { split: splitByRegex(stage.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu), cutsAfterWords: true };
    case 'Split':
      return readSplit(stage);
    default:
      throw new TokenizerFormatError(
        `pre_tokenizer of type ${JSON.stringify(stage.type)} is not supported (known: ByteLevel, Digits, Split, Sequence)`,
      );
  }
};

const readByteLevel = (stage: StageJson): Part => {
  if (stage.add_prefix_space === true)
    throw new TokenizerFormatError('pre_tokenizer ByteLevel: add_prefix_space is not supported');
  if (stage.use_regex !== false) return gpt2PreTokenizer;
  return { split: (text, visit) => visit(text), cutsAfterWords: true };
};

const readSplit = ({ pattern, behavior, invert }: StageJson): Part => {
  const { Regex: source, String: literal } = (pattern ?? {}) as { Regex?: string; String?: string };
  // "Removed" of what does not match, the older way to write it, keeps the matches just as "Isolated" does.
  if (!(behavior === 'Isolated' || (behavior === 'Removed' && invert === true))) {
    throw new TokenizerFormatError(
      `pre_tokenizer Split: behavior ${JSON.stringify(behavior)} is not supported (known: "Isolated")`,
    );
  }
  const expression = source ?? literal?.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  if (expression === undefined)
    throw new TokenizerFormatError('pre_tokenizer Split: pattern has neither Regex nor String');
  return { split: splitByRegex(compile(expression)), cutsAfterWords: wordPatterns.has(expression) };
};

/** Oniguruma's classes are Unicode's, JavaScript's are not: \s and \d are translated. */
const compile = (expression: string): RegExp => {
  const translated = expression.replace(/\\./g, (escaped) => unicodeClasses[escaped] ?? escaped);
  try {
    return new RegExp(translated, 'gu');
  } catch (error) {
    throw new TokenizerFormatError(`pre_tokenizer Split: this expression is not supported: ${expression}`, {
      cause: error,
    });
  }
};

const unicodeClasses: Readonly<Record<string, string>> = {
  '\\s': '\\p{White_Space}',
  '\\S': '\\P{White_Space}',
  '\\d': '\\p{Nd}',
  '\\D': '\\P{Nd}',
};
