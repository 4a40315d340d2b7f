// Checks of requests: every wrong field at once, by its name in the contract.
//
//   check({ text: !request.text && 'must not be empty', max_tokens: request.maxTokens > limit && `must be at most ${limit}` });
import { namePattern, nameRule, versionPattern } from '#lib/contracts/keys.ts';
import { AppError, type FieldViolation } from './errors.ts';

/** What is wrong with a field, or nothing. */
export type Problem = string | false | undefined | null | '';

/** Throws one INVALID_ARGUMENT that names every field with a problem. */
export const check = (problems: Record<string, Problem>): void =>
  refuse(Object.entries(problems).flatMap(([field, description]) => (description ? [{ field, description }] : [])));

/** The same for violations that were collected elsewhere; none is no error. */
export function refuse(violations: FieldViolation[]): void {
  if (violations.length === 0) return;
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
  throw new AppError('INVALID_ARGUMENT', message, { violations });
}

/** Names of models, datasets, tokenizers, tasks. */
export const nameProblem = (name: string): Problem =>
  !namePattern.test(name) && `${nameRule}; it is ${JSON.stringify(name)}`;

/** `v3`, or nothing for the newest. */
export const versionProblem = (version: string): Problem =>
  version !== '' &&
  !versionPattern.test(version) &&
  `must be "v1", "v2", … or empty for the newest; it is ${JSON.stringify(version)}`;
