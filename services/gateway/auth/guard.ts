// The gatekeeper before HTTP routes. It hangs on the routes, not on how a path is spelt: an encoded path meets it as well.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Gatekeeper, Visit } from './gatekeeper.ts';

const visits = new WeakMap<FastifyRequest, Visit>();

/** Every route that is added to `api` from now on asks for the scope "inference". */
export function guard(api: FastifyInstance, gatekeeper: Gatekeeper): void {
  api.addHook('onRequest', async (request, reply) => {
    const { method, routeOptions, headers, ip, socket } = request;
    const visit = await gatekeeper({
      authorization: headers.authorization,
      scope: 'inference',
      action: `${method} ${routeOptions.url}`,
      address: `${ip}:${socket.remotePort}`,
    });
    visits.set(request, visit);
    reply.raw.once('close', () => visit.end());
  });
  api.addHook('onError', async (request, _, error) => visits.get(request)?.end(error));
}

export function visitOf(request: FastifyRequest): Visit {
  const visit = visits.get(request);
  if (!visit) throw new Error(`${request.url} is not guarded`);
  return visit;
}
