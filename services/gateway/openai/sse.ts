// Server-sent events: `data: <json>` per chunk, `data: [DONE]` at the end, an error in between as OpenAI sends it.
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { toOpenAiError } from './errors.ts';

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/**
 * Streams chunks. The first one is awaited before the status is sent, so that a request that fails at once fails as any other request does;
 * later errors come as an event.
 */
export async function sendEvents(reply: FastifyReply, chunks: AsyncIterable<object>): Promise<FastifyReply> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* events(): AsyncGenerator<string> {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield `data: ${JSON.stringify(next.value)}\n\n`;
      yield 'data: [DONE]\n\n';
    } catch (error) {
      reply.log.warn({ error }, 'the stream broke');
      yield `data: ${JSON.stringify(toOpenAiError(error).body)}\n\n`;
    } finally {
      await iterator.return?.();
    }
  }
  return reply.headers(headers).send(Readable.from(events()));
}
