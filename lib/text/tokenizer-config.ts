// Hugging Face's tokenizer_config.json: which special tokens begin, end and pad a text, and the chat template.

/** A token is written as its text or as an object with `content`. */
type TokenField = string | { readonly content: string } | null;

export interface TokenizerConfig {
  readonly tokenizer_class?: string;
  readonly bos_token?: TokenField;
  readonly eos_token?: TokenField;
  readonly pad_token?: TokenField;
  readonly unk_token?: TokenField;
  /** One template, or several by name, of which "default" counts. */
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[] | null;
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

const templateText = (field: TokenizerConfig['chat_template']): string | undefined =>
  typeof field === 'string' ? field : field?.find(({ name }) => name === 'default')?.template;

/** The roles that a tokenizer_config.json gives to tokens; all absent without one. */
export const rolesOfConfig = (config: TokenizerConfig | undefined): SpecialRoles => ({
  bosToken: tokenText(config?.bos_token),
  eosToken: tokenText(config?.eos_token),
  padToken: tokenText(config?.pad_token),
  chatTemplate: templateText(config?.chat_template),
});

export const configOfRoles = (roles: SpecialRoles): TokenizerConfig => ({
  tokenizer_class: 'PreTrainedTokenizerFast',
  ...(roles.bosToken !== undefined && { bos_token: roles.bosToken }),
  ...(roles.eosToken !== undefined && { eos_token: roles.eosToken }),
  ...(roles.padToken !== undefined && { pad_token: roles.padToken }),
  ...(roles.chatTemplate !== undefined && { chat_template: roles.chatTemplate }),
  clean_up_tokenization_spaces: false,
});
