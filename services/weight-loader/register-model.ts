// What a run has written -> a version: its manifest is verified, the model looked at, the parts copied to their own place.
import { Lineage, type RegisterModelRequest } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { failedPrecondition, hasCode, invalidArgument, notFound } from '#lib/platform/errors.ts';
import { type Artifact, openArtifact } from '#lib/platform/manifest.ts';
import type { Files } from './convert/files.ts';
import { createVersion, findMade, type Registry, requestKey } from './create-version.ts';
import type { VersionRecord } from './model.ts';

const needed = ['config.json', 'model.safetensors', 'tokenizer.json'] as const;

export async function registerModel(
  registry: Registry,
  request: RegisterModelRequest,
  signal: AbortSignal,
): Promise<VersionRecord> {
  const { name, sourcePrefix, lineage } = request;
  const key = requestKey('register', request.requestId);
  const made = await findMade(registry, name, key);
  if (made) return made;
  const source = await openSource(registry, sourcePrefix);
  const facts = await withParts(source, (files) => registry.converter.inspect(files, { signal })).catch((error) => {
    throw hasCode(error, 'INVALID_ARGUMENT')
      ? failedPrecondition(`${sourcePrefix}: ${error.message}`, { cause: error })
      : error;
  });
  return createVersion(registry, {
    name,
    request: key,
    facts,
    lineage: Lineage.fromPartial(lineage ?? {}),
    write: async (artifact) => {
      for (const { path } of source.manifest.parts) await artifact.write(path, source.stream(path), { signal });
    },
  });
}

async function openSource({ objects }: Registry, prefix: string): Promise<Artifact> {
  if (!/^runs\/[^/]+\/model\/?$/.test(prefix)) {
    throw invalidArgument('source_prefix', `must be runs/<id>/model; it is ${JSON.stringify(prefix)}`);
  }
  const folder = prefix.replace(/\/$/, '');
  const source = await openArtifact(objects, folder).catch((error) => {
    throw hasCode(error, 'NOT_FOUND')
      ? notFound('model of a run', folder, 'its manifest is written last; is the run over?')
      : error;
  });
  const missing = needed.filter((path) => !source.has(path));
  if (missing.length) throw failedPrecondition(`${folder} has no ${missing.join(', ')}`);
  return source;
}

/** Gives `use` the parts that describe the model as local files, each checked against the manifest. */
function withParts<T>(source: Artifact, use: (files: Files) => Promise<T>): Promise<T> {
  const wanted = [...needed, 'tokenizer_config.json'].filter((path) => source.has(path));
  const open = ([path, ...rest]: string[], files: Files): Promise<T> =>
    path === undefined ? use(files) : source.withLocalFile(path, (file) => open(rest, { ...files, [path]: file }));
  return open(wanted, {});
}
