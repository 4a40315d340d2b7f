// Which part of a rendered chat did the assistant write? A template does not say, so it is asked: the prompt that asks for the
// assistant's turn, and the chat with that turn, differ by what the assistant has to produce. Where a template renders the past
// differently (it drops earlier reasoning, say), a stand-in for the content shows where the content comes to lie.

import type { ChatMessage } from './chat-message.ts';
import type { Span } from './guard-specials.ts';

export interface AssistantSpansParts {
  readonly messages: readonly ChatMessage[];
  /** The whole chat, rendered. */
  readonly full: string;
  /** undefined where the template refuses. */
  readonly render: (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string | undefined;
  readonly findSpecials: (text: string) => Span[];
}

/** The assistant's turn at `turn`, with the token that ends it; undefined where it cannot be told. */
export const assistantSpan = (parts: AssistantSpansParts, turn: number): Span | undefined =>
  spanByPrefix(parts, turn) ?? spanByStandIn(parts, turn);

const spanByPrefix = (parts: AssistantSpansParts, turn: number): Span | undefined => {
  const { messages, full, render, findSpecials } = parts;
  const asked = render(messages.slice(0, turn), true);
  const answered = render(messages.slice(0, turn + 1), false);
  if (asked === undefined || answered === undefined) return undefined;
  if (!full.startsWith(answered) || !answered.startsWith(asked)) return undefined;
  const written = answered.slice(asked.length);
  return { start: asked.length, end: asked.length + (findSpecials(written).at(-1)?.end ?? written.length) };
};

/** A word between noncharacters: no template trims or splits it, and no text contains it. */
const standIn = '\u{1FFFE}content\u{1FFFE}';

const spanByStandIn = (parts: AssistantSpansParts, turn: number): Span | undefined => {
  const { messages, full, render, findSpecials } = parts;
  const replaced = messages.map((message, i) => (i === turn ? { ...message, content: standIn } : message));
  const [before, after, ...more] = (render(replaced, false) ?? '').split(standIn);
  if (before === undefined || after === undefined || more.length > 0) return undefined;
  if (full.length < before.length + after.length || !full.startsWith(before) || !full.endsWith(after)) return undefined;
  const [next] = findSpecials(after);
  const endsTurn = next !== undefined && after.slice(0, next.start).trim() === '';
  return { start: before.length, end: full.length - after.length + (endsTurn ? next.end : 0) };
};
