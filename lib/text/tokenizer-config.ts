// Hugging Face's tokenizer_config.json: which special tokens begin, end and pad a text, and the chat template.

/** A token is written as its text or as an object with `content`. */
type TokenField = string | { readonly content: string } | null;

export interface TokenizerConfig {
  readonly tokenizer_class?: string;
  readonly bos_token?: TokenField;
  readonly eos_token?: TokenField;
  readonly pad_token?: TokenField;
  readonly unk_token?: TokenField;
  readonly chat_template?: string | null;
  readonly [key: string]: unknown;
}

export interface SpecialRoles {
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  readonly padToken?: string | undefined;
  readonly chatTemplate?: string | undefined;
}

const tokenText = (field: TokenField | undefined): string | undefined =>
  typeof field === 'string' ? field : field?.content;

/** The roles that a tokenizer_config.json gives to tokens; all absent without one. */
export const rolesOfConfig = (config: TokenizerConfig | undefined): SpecialRoles => ({
  bosToken: tokenText(config?.bos_token),
  eosToken: tokenText(config?.eos_token),
  padToken: tokenText(config?.pad_token),
  chatTemplate: config?.chat_template ?? undefined,
});

export const configOfRoles = (roles: SpecialRoles): TokenizerConfig => ({
  tokenizer_class: 'PreTrainedTokenizerFast',
  ...(roles.bosToken !== undefined && { bos_token: roles.bosToken }),
  ...(roles.eosToken !== undefined && { eos_token: roles.eosToken }),
  ...(roles.padToken !== undefined && { pad_token: roles.padToken }),
  ...(roles.chatTemplate !== undefined && { chat_template: roles.chatTemplate }),
  clean_up_tokenization_spaces: false,
});
