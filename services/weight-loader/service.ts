// The weight loader's RPCs: check, do, shape the reply.

import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type {
  DeepPartial,
  ExportModelResponse,
  ImportModelRequest,
  ImportModelResponse,
  PromoteModelRequest,
  RegisterModelRequest,
  RollbackModelRequest,
  WeightLoaderServiceImplementation,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { versionPattern } from '#lib/contracts/keys.ts';
import { check, nameProblem, type Problem } from '#lib/platform/check.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { createQueue } from '#lib/platform/queue.ts';
import { receiveUpload } from '#lib/platform/upload.ts';
import type { Registry } from './create-version.ts';
import { importModel } from './import-model.ts';
import type { WeightLoaderMetrics } from './metrics.ts';
import { newestOf, productionAlias, promote, resolveVersion, rollBack } from './model.ts';
import { unknownVersion } from './model-store.ts';
import { registerModel } from './register-model.ts';
import { toModelMessage, toVersionMessage } from './to-message.ts';

export interface WeightLoaderDependencies extends Registry {
  maxFileBytes: number;
  /** Written into the lineage of imports. */
  codeVersion: string;
  metrics: WeightLoaderMetrics;
}

export const createWeightLoaderService = (
  dependencies: WeightLoaderDependencies,
): WeightLoaderServiceImplementation => {
  const { models, objects, announcer, maxFileBytes, codeVersion, metrics } = dependencies;

  return {
    uploadModelFile: async (messages, { signal }) => ({
      file: await receiveUpload(objects, messages, { signal, maxBytes: maxFileBytes }),
    }),

    async *importModel(request, { signal }) {
      checkNew(request, { promote_to: request.promoteTo !== '' && aliasProblem(request.promoteTo) });
      const events = createQueue<DeepPartial<ImportModelResponse>>();
      const report = (value: object) => events.push({ event: { $case: 'progress', value } });
      importModel(dependencies, request, { codeVersion, report, signal }).then((version) => {
        events.push({ event: { $case: 'version', value: toVersionMessage(request.name, version) } });
        events.end();
      }, events.fail);
      yield* events;
    },

    async *exportModel({ model }, { signal }) {
      const { version } = await models.resolve(checkRef(model));
      const artifact = await openArtifact(objects, version.prefix);
      for (const { path, size_bytes, sha256 } of artifact.manifest.parts) {
        yield { part: { $case: 'file', value: { filename: path, sizeBytes: size_bytes, sha256 } } };
        for await (const chunk of artifact.stream(path)) {
          signal.throwIfAborted();
          yield toChunk(chunk);
        }
      }
    },

    registerModel: async (request, { signal }) => {
      checkNew(request);
      return { version: toVersionMessage(request.name, await registerModel(dependencies, request, signal)) };
    },

    getModel: async (request) => {
      const { model, version } = await models.resolve(checkRef(request.model));
      return { model: toModelMessage(model), version: toVersionMessage(model.name, version) };
    },

    listModels: async () => ({ models: (await models.list()).map(toModelMessage) }),

    promoteModel: async (request) => {
      const { name, version: wanted } = checkRef(request.model);
      const model = await models.changeKnown(name, (before) => {
        const version = wanted === '' ? newestOf(before) : resolveVersion(before, wanted);
        if (!version) throw unknownVersion(before, wanted);
        return promote(before, version.version, toMove(request));
      });
      metrics.aliasMoved('promote');
      await announcer.announce(model);
      return { model: toModelMessage(model) };
    },

    rollbackModel: async (request) => {
      check({ name: nameProblem(request.name) });
      const model = await models.changeKnown(request.name, (before) => rollBack(before, toMove(request)));
      metrics.aliasMoved('rollback');
      await announcer.announce(model);
      return { model: toModelMessage(model) };
    },
  };
};

const toChunk = ({ buffer, byteOffset, byteLength }: Uint8Array): DeepPartial<ExportModelResponse> => ({
  part: { $case: 'chunk', value: Buffer.from(buffer, byteOffset, byteLength) },
});

const checkNew = ({ name }: ImportModelRequest | RegisterModelRequest, more: Record<string, Problem> = {}): void =>
  check({ name: nameProblem(name), ...more });

/** `version` may be an alias. */
function checkRef(model: ArtifactRef | undefined): ArtifactRef {
  const { name, version } = model ?? { name: '', version: '' };
  const isRight = version === '' || versionPattern.test(version) || !aliasProblem(version);
  const rule = `must be "v1", "v2", …, an alias, or empty; it is ${JSON.stringify(version)}`;
  check({ 'model.name': nameProblem(name), 'model.version': !isRight && rule });
  return { name, version };
}

const aliasProblem = (alias: string): Problem =>
  versionPattern.test(alias) ? `must not look like a version; it is ${JSON.stringify(alias)}` : nameProblem(alias);

function toMove({ alias, reason }: PromoteModelRequest | RollbackModelRequest) {
  check({ alias: alias !== '' && aliasProblem(alias) });
  return { alias: alias || productionAlias, reason, time: new Date().toISOString() };
}
