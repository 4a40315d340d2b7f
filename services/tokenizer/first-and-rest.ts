// The first message of a request stream says what it is about; then the whole stream is read, the first one included.
import { AppError } from '#lib/platform/errors.ts';

export const firstAndRest = async <T>(messages: AsyncIterable<T>): Promise<{ first: T; all: AsyncIterable<T> }> => {
  const iterator = messages[Symbol.asyncIterator]();
  const { value: first, done } = await iterator.next();
  if (done) throw new AppError('INVALID_ARGUMENT', 'the stream ended before its first message');
  const rest = { [Symbol.asyncIterator]: () => iterator };
  async function* all(): AsyncGenerator<T> {
    yield first;
    yield* rest;
  }
  return { first, all: all() };
};
