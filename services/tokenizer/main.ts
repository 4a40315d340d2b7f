// The tokenizer service: vocabularies, encode and decode, chat templates, training.
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { registerBuiltIns } from './built-ins.ts';
import { createCodecs } from './codec.ts';
import { loadConfig, type TokenizerConfig } from './config.ts';
import { createLocator } from './locate.ts';
import { createRegistry } from './registry.ts';
import { createTokenizerService } from './service.ts';
import { createTraining } from './training.ts';

export const start: StartService<TokenizerConfig> = async (config, context) => {
  const { platform, log, connect } = context;
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const registry = createRegistry(platform);
  const builtIns = registerBuiltIns(registry);
  const codecs = createCodecs({ ...platform, log, maxLoaded: config.maxLoaded });
  const service = createTokenizerService({
    registry,
    builtIns,
    codecs,
    locate: createLocator({ registry, builtIns, models: weightLoader.client }),
    train: createTraining({ ...platform, registry }),
  });
  return serveGrpc({
    ...context,
    ...config,
    services: [implement(TokenizerServiceDefinition, service)],
    ready: builtIns,
    onStop: () => Promise.all([codecs.close(), weightLoader.close(), builtIns.catch(() => undefined)]),
  });
};

if (import.meta.main) void runService({ name: 'tokenizer', loadConfig, start });
