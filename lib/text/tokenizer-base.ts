// The half of a tokenizer that does not depend on its kind: its special tokens, their roles, and the way from ids back to text.

import type { AddedToken } from './added-tokens.ts';
import { createTokenTable } from './token-table.ts';
import { type Tokenizer, TokenizerFormatError } from './tokenizer.ts';
import { configOfRoles, type SpecialRoles } from './tokenizer-config.ts';

export type TokenizerBase = Omit<Tokenizer, 'kind' | 'encode' | 'createEncoder' | 'toJSON'>;

export interface TokenizerBaseParts {
  /** id -> the bytes of ordinary tokens; undefined elsewhere. */
  readonly bytes: readonly (Uint8Array | undefined)[];
  readonly addedTokens: readonly AddedToken[];
  readonly roles: SpecialRoles;
}

export const createTokenizerBase = ({ bytes, addedTokens, roles }: TokenizerBaseParts): TokenizerBase => {
  const utf8 = new TextEncoder();
  const all = [...bytes];
  for (const { id, content } of addedTokens) all[id] = utf8.encode(content);
  const specialTokens = new Map(addedTokens.filter(({ special }) => special).map(({ content, id }) => [content, id]));
  return {
    ...createTokenTable(Array.from(all), specialTokens.values()),
    specialTokens,
    bosId: idOfRole(roles.bosToken, specialTokens),
    eosId: idOfRole(roles.eosToken, specialTokens),
    padId: idOfRole(roles.padToken, specialTokens),
    chatTemplate: roles.chatTemplate,
    toConfig: () => configOfRoles(roles),
  };
};

const idOfRole = (role: string | undefined, specials: ReadonlyMap<string, number>): number | undefined => {
  if (role === undefined) return undefined;
  const id = specials.get(role);
  if (id !== undefined) return id;
  throw new TokenizerFormatError(`${JSON.stringify(role)} is named as bos, eos or pad token but is no special token`);
};
