// The HTTP server before it has routes: plain or HTTPS, and deaf to web pages that only pretend to be of this machine.
import type { Server as TlsServer } from 'node:tls';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { AppError } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import { followCertificates } from '#lib/platform/tls.ts';

export interface HttpServerOptions {
  log: Logger;
  maxBodyBytes: number;
  /** Setting -> path of certificate and key: HTTPS. Absent: HTTP. */
  certificateFiles?: Record<string, string> | undefined;
  /** How often certificates are looked at. Default 10 s. */
  tlsEveryMs?: number | undefined;
  /** Open to everybody on this machine: then it answers to this machine's own names only. */
  isLocalOnly?: boolean;
}

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { log, maxBodyBytes, certificateFiles, isLocalOnly = false } = options;
  const common = {
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
  };
  const app = certificateFiles ? createHttps(common, certificateFiles, options) : fastify(common);
  if (isLocalOnly) app.addHook('onRequest', async ({ hostname }) => refuseForeignName(hostname));
  return app;
}

function createHttps(common: object, files: Record<string, string>, { log, tlsEveryMs }: HttpServerOptions) {
  const onChange = (certificates: { cert: Buffer; key: Buffer }) =>
    (app.server as unknown as TlsServer).setSecureContext(certificates);
  const { current, stop } = followCertificates({ files, log, everyMs: tlsEveryMs, onChange });
  const app = fastify({ ...common, https: { cert: current.cert, key: current.key } }) as unknown as FastifyInstance;
  app.addHook('onClose', async () => stop());
  return app;
}

/** A page of another site can point its own name at 127.0.0.1 (DNS rebinding) and would then read answers as its own. */
function refuseForeignName(hostname: string): void {
  if (/^(localhost|.*\.localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(hostname)) return;
  const reason = `it is open to this machine alone, and was called "${hostname}"`;
  throw new AppError('PERMISSION_DENIED', `${reason}: give it keys (docs/security.md) to be called by other names`);
}
