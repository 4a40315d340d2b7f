// What vocabularies trained here have by default: GPT-2's end-of-text token, and ChatML (the form of Qwen and SmolLM2) for chats.

import type { SpecialRoles } from './tokenizer-config.ts';

export const endOfText = '<|endoftext|>';

export const defaultSpecialTokens: readonly string[] = [endOfText, '<|im_start|>', '<|im_end|>'];

export const chatMlTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** End of text ends and begins texts; ChatML is the chat template where its two tokens are there. */
export const rolesOfSpecials = (specialTokens: readonly string[]): SpecialRoles => {
  const end = specialTokens.includes(endOfText) ? endOfText : specialTokens[0];
  const isChatMl = specialTokens.includes('<|im_start|>') && specialTokens.includes('<|im_end|>');
  return { bosToken: end, eosToken: end, chatTemplate: isChatMl ? chatMlTemplate : undefined };
};
