// Messages -> the prompt that a tokenizer's chat template (Jinja) makes of them, and its ids; for finetuning also which tokens the
// assistant wrote. Special tokens that stand in a message's content are text there: a user cannot end a turn by typing its end token.

import { Template } from '@huggingface/jinja';
import { type AssistantSpansParts, assistantSpan } from './assistant-spans.ts';
import type { ChatMessage } from './chat-message.ts';
import { createSpecialsGuard, type Span, type SpecialsGuard } from './guard-specials.ts';
import { createIdBuffer } from './id-buffer.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface RenderOptions {
  /** Ends with the opening of the assistant's turn. Default false. */
  readonly addGenerationPrompt?: boolean;
}

export interface RenderedChat {
  readonly prompt: string;
  readonly ids: Int32Array;
}

export interface MaskedChat extends RenderedChat {
  /** 1 where the token carries loss: what the assistant wrote, its end token included; 0 elsewhere. As long as `ids`. */
  readonly mask: Uint8Array;
}

export interface Chat {
  render(messages: readonly ChatMessage[], options?: RenderOptions): RenderedChat;
  renderWithMask(messages: readonly ChatMessage[]): MaskedChat;
}

/** A template that does not parse, refuses the messages, or does not show where the assistant's turns are. */
export class ChatTemplateError extends Error {
  override readonly name = 'ChatTemplateError';
}

/** `template` defaults to the tokenizer's own; that there is none is an error. */
export const createChat = (tokenizer: Tokenizer, template: string | undefined = tokenizer.chatTemplate): Chat => {
  if (template === undefined) throw new ChatTemplateError('this tokenizer has no chat template');
  const render = createRender(tokenizer, template);
  const prepare = (messages: readonly ChatMessage[]) => {
    const guard = createSpecialsGuard(tokenizer, [template, ...messages.map(({ content }) => content)]);
    return { guard, guarded: messages.map((message) => ({ ...message, content: guard.guard(message.content) })) };
  };
  return {
    render: (messages, { addGenerationPrompt = false } = {}) => {
      const { guard, guarded } = prepare(messages);
      const prompt = render(guarded, addGenerationPrompt);
      return { prompt: guard.clean(prompt), ids: guard.encode(prompt) };
    },
    renderWithMask: (messages) => {
      const { guard, guarded } = prepare(messages);
      const prompt = render(guarded, false);
      const spans = spansOf({ messages: guarded, full: prompt, render, findSpecials: guard.find });
      return { prompt: guard.clean(prompt), ...encodeSpans(guard, prompt, spans) };
    },
  };
};

type Render = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string;

const createRender = (tokenizer: Tokenizer, source: string): Render => {
  const template = compile(source);
  const textOf = (id: number | undefined): string => (id === undefined ? '' : tokenizer.decode([id]));
  const tokens = { bos_token: textOf(tokenizer.bosId), eos_token: textOf(tokenizer.eosId) };
  return (messages, addGenerationPrompt) => {
    try {
      return template.render({ ...tokens, messages, add_generation_prompt: addGenerationPrompt });
    } catch (error) {
      throw new ChatTemplateError(`the chat template refuses these messages: ${messageOf(error)}`, { cause: error });
    }
  };
};

const messageOf = (error: unknown): string => (error as { message?: string }).message ?? String(error);

const compile = (source: string): Template => {
  try {
    return new Template(source);
  } catch (error) {
    throw new ChatTemplateError(`the chat template does not parse: ${messageOf(error)}`, { cause: error });
  }
};

type SpansParts = Omit<AssistantSpansParts, 'render'> & { readonly render: Render };

const spansOf = ({ render, ...parts }: SpansParts): Span[] => {
  const attempt: (...of: Parameters<Render>) => string | undefined = (...of) => {
    try {
      return render(...of);
    } catch {
      return undefined; // a template may refuse a part of a chat that it takes as a whole
    }
  };
  return parts.messages.flatMap(({ role }, turn) => {
    if (role !== 'assistant') return [];
    const span = assistantSpan({ ...parts, render: attempt }, turn);
    if (span) return [span];
    throw new ChatTemplateError(
      `the chat template does not show which part of the text is message ${turn}, the assistant's`,
    );
  });
};

/** A span begins where generation does; the parts are encoded one by one, as they are when the model is asked. */
const encodeSpans = (
  guard: SpecialsGuard,
  prompt: string,
  spans: readonly Span[],
): Pick<MaskedChat, 'ids' | 'mask'> => {
  const ids = createIdBuffer(prompt.length >> 1);
  const mask: number[] = [];
  const take = (start: number, end: number, carriesLoss: 0 | 1): void => {
    const part = guard.encode(prompt.slice(start, end));
    ids.pushAll(part, part.length);
    for (let i = 0; i < part.length; i++) mask.push(carriesLoss);
  };
  let end = 0;
  for (const span of spans) {
    take(end, span.start, 0);
    take(span.start, span.end, 1);
    end = span.end;
  }
  take(end, prompt.length, 0);
  return { ids: ids.toArray(), mask: Uint8Array.from(mask) };
};
