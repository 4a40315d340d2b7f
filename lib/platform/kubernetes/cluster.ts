// The Kubernetes API as JSON over HTTPS. The only file that loads @kubernetes/client-node, which is ESM only and large: it finds the API server
// and proves who we are (a pod's token, which changes, or a kubeconfig of any kind). The requests are our own: objects pass through whole,
// whatever the client's version knows of them, and a broken stream is an error of its reader, where the client's own log stream ends the process.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { AppError, failedPrecondition, isAppError } from '../errors.ts';
import { toAppError } from './api-error.ts';

export interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `/apis/batch/v1/namespaces/strata/jobs` */
  path: string;
  query?: Record<string, string>;
  /** A PATCH merges it. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** The connection is given up after so much silence. */
  idleMs?: number;
}

export interface Cluster {
  /** Of this pod, or of the kubeconfig's context. */
  readonly namespace: string;
  /** The answer's JSON. Failures are AppErrors; UNAVAILABLE where the API server is away. */
  call<T>(call: Call): Promise<T>;
  /** The answer line by line, as it comes: a watch, a log. */
  lines(call: Call): AsyncGenerator<string>;
}

/** Nothing is asked before the first call. Without a kubeconfig it looks where kubectl does: KUBECONFIG, ~/.kube/config, this pod's account. */
export function openCluster({ kubeconfig = '' } = {}): Cluster {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  const { server = nowhere } = config.getCurrentCluster() ?? {};
  if (server === nowhere) {
    throw failedPrecondition(
      'no Kubernetes here: neither a service account (automountServiceAccountToken) nor a kubeconfig (KUBECONFIG)',
    );
  }

  async function send({ method = 'GET', path, query = {}, body, signal, idleMs = 30_000 }: Call) {
    const options: RequestOptions & { headers: Record<string, string> } = { method, headers: headersOf(method, body) };
    await config.applyToHTTPSOptions(options);
    const url = new URL(server.replace(/\/$/, '') + path);
    url.search = new URLSearchParams(query).toString();
    const outgoing = request(url, { ...options, ...(signal && { signal }) });
    // What breaks after the answer has begun is told by reading it.
    outgoing.on('error', () => undefined);
    outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error(`nothing was heard for ${idleMs / 1000} s`)));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const { statusCode = 0 } = answer;
    if (statusCode >= 300) throw toAppError(statusCode, await text(answer));
    return answer;
  }

  const explain = (error: unknown, { signal }: Call): unknown => {
    if (signal?.aborted) return signal.reason;
    if (isAppError(error)) return error;
    const { message, code } = error as NodeJS.ErrnoException;
    const reason = message || code;
    return new AppError('UNAVAILABLE', `the Kubernetes API at ${server} cannot be reached: ${reason}`, {
      cause: error,
    });
  };

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace || 'default',
    async call<T>(call: Call): Promise<T> {
      try {
        return JSON.parse(await text(await send(call))) as T;
      } catch (error) {
        throw explain(error, call);
      }
    },
    async *lines(call) {
      try {
        yield* splitLines(await send(call));
      } catch (error) {
        throw explain(error, call);
      }
    },
  };
}

/** What the client names where it has found nothing. */
const nowhere = 'http://localhost:8080';

const headersOf = (method: string, body: unknown): Record<string, string> => ({
  accept: 'application/json',
  ...(body !== undefined && {
    'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
  }),
});

async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest) yield rest;
}
