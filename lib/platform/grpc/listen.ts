// Binds a gRPC server, ours and the edge's, and says what to do where that is not possible.
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { AppError } from '../errors.ts';

export interface ListenOptions {
  bind: string;
  /** 0 takes a free one. */
  port: number;
  credentials: ServerCredentials;
  /** What to do where it cannot. */
  hint: string;
}

/** The port. @throws {AppError} UNAVAILABLE where it cannot listen */
export async function listen(server: Server, { bind, port, credentials, hint }: ListenOptions): Promise<number> {
  try {
    return await new Promise((resolve, reject) =>
      server.bindAsync(`${bind}:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
    );
  } catch (cause) {
    throw new AppError('UNAVAILABLE', `cannot listen on ${bind}:${port}: ${reasonOf(cause)}; ${hint}`, { cause });
  }
}

const reasonOf = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.includes('EADDRINUSE') ? 'another program listens there' : text;
};
