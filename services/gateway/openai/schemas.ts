// What clients of OpenAI's API send. Fields that are not known are passed over, as theirs are; what cannot be honoured is refused by name.
import { z } from 'zod';
import { refuse } from '#lib/platform/check.ts';
import type { FieldViolation } from '#lib/platform/errors.ts';

const nothing = <T extends z.ZodType>(schema: T, what: string) =>
  schema.nullish().refine((value) => value === undefined || value === null, `${what} is not supported`);

const sampling = {
  model: z.string('the name of a model is required').min(1, 'the name of a model is required'),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** Not OpenAI's, but common. */
  top_k: z.number().int().min(0).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.literal(1, 'only one answer a request is supported').nullish(),
};

const maxTokens = z.number().int().min(0).nullish();

export const completionSchema = z.object({
  ...sampling,
  prompt: z.union(
    [
      z.string(),
      z.array(z.string()).length(1),
      z.array(z.number().int().min(0)).min(1),
      z.array(z.array(z.number().int().min(0)).min(1)).length(1),
    ],
    'must be one text, or the token ids of one; several prompts in a request are not supported',
  ),
  max_tokens: maxTokens,
  /** The n best alternatives at each position. */
  logprobs: z.number().int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
  suffix: nothing(z.string(), 'suffix'),
});

const textPart = z.object({ type: z.literal('text'), text: z.string() });

export const chatSchema = z.object({
  ...sampling,
  messages: z
    .array(
      z.object({
        role: z.enum(['system', 'developer', 'user', 'assistant'], 'must be system, developer, user or assistant'),
        content: z.union([z.string(), z.array(textPart)], 'must be text, or parts that are text'),
      }),
    )
    .min(1, 'at least one message is required'),
  max_tokens: maxTokens,
  max_completion_tokens: maxTokens,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  tools: nothing(z.array(z.unknown()).min(1), 'tools'),
  response_format: z.object({ type: z.literal('text', 'only text is supported') }).nullish(),
});

export type CompletionBody = z.output<typeof completionSchema>;
export type ChatBody = z.output<typeof chatSchema>;

/** @throws {AppError} INVALID_ARGUMENT naming every wrong field */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map(
    ({ path, message }): FieldViolation => ({ field: path.join('.') || 'body', description: message }),
  );
  refuse(violations);
  throw parsed.error;
}
