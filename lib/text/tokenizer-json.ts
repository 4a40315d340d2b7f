// The shape of Hugging Face's tokenizer.json, as far as it is read and written here.
// https://huggingface.co/docs/tokenizers: normalizer -> pre-tokenizer -> model -> post-processor, and a decoder for the way back.

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** One stage; `type` names it, the other keys are its settings. */
export interface StageJson {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface BpeModelJson {
  readonly type: 'BPE';
  readonly unk_token?: string | null;
  /** Token in the byte alphabet (byte-alphabet.ts) -> id. */
  readonly vocab: Readonly<Record<string, number>>;
  /** In order of rank: "a b" in old files, ["a", "b"] in new ones. */
  readonly merges: readonly (string | readonly [string, string])[];
  readonly [key: string]: unknown;
}

export interface WordLevelModelJson {
  readonly type: 'WordLevel';
  readonly vocab: Readonly<Record<string, number>>;
  readonly unk_token?: string | null;
}

export interface TokenizerJson {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: StageJson | null;
  readonly pre_tokenizer: StageJson | null;
  readonly post_processor: StageJson | null;
  readonly decoder: StageJson | null;
  readonly model: BpeModelJson | WordLevelModelJson;
}
