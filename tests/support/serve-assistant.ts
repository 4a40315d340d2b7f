// A weight-loader for tests of services that only ask it where a model's files lie.
import {
  WeightLoaderServiceDefinition,
  type WeightLoaderServiceImplementation,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { notFound } from '#lib/platform/errors.ts';
import { type GrpcServer, implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import type { Logger } from '#lib/platform/log.ts';

/** Knows one model, `assistant@v3`, whose files lie in the same object store. */
export const serveAssistant = (log: Logger): Promise<GrpcServer> => {
  const known: Partial<WeightLoaderServiceImplementation> = {
    getModel: async ({ model }) => {
      if (model?.name !== 'assistant') throw notFound('model', model?.name ?? '');
      return { version: { ref: { name: 'assistant', version: 'v3' }, prefix: 'models/assistant/v3' } };
    },
  };
  const implementation = new Proxy(known, {
    get: (target, name) => target[name as keyof typeof known] ?? (() => Promise.reject(new Error(String(name)))),
  }) as WeightLoaderServiceImplementation;
  const services = [implement(WeightLoaderServiceDefinition, implementation)];
  return serveGrpc({ services, bind: '127.0.0.1', port: 0, log, drainMs: 100 });
};
