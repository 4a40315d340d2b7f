// What inference says of its own fields, said of the client's: `sampling.max_tokens` is `max_tokens` there.
import { AppError, isAppError } from '#lib/platform/errors.ts';

/** Inference's field -> the client's; `sampling.` is left out first, and what is not listed keeps its name. */
export type FieldNames = Readonly<Record<string, string>>;

/** The responses, whose failure names the client's fields. */
export async function* inNamesOfClient<T>(responses: AsyncIterable<T>, names: FieldNames): AsyncGenerator<T> {
  try {
    yield* responses;
  } catch (error) {
    throw rename(error, names);
  }
}

export function rename(error: unknown, names: FieldNames): unknown {
  if (!isAppError(error) || error.violations.length === 0) return error;
  const violations = error.violations.map(({ field, description }) => {
    const plain = field.replace(/^sampling\./, '');
    return { field: names[plain] ?? plain, description };
  });
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return new AppError(error.code, message, { violations, cause: error });
}
