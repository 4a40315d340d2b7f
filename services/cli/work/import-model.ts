// Upload a model's files, convert and register them: used by `strata model import` and by `strata chat` on a catalogue's model.
import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError, invalidArgument } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { formatCount } from '../output.ts';
import { uploadParts } from '../upload.ts';

/** A GGUF file stands alone; of a Hugging Face directory the files that carry weights, configuration and tokenizer. */
async function modelFiles(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause) => {
    throw invalidArgument('path', `${path} cannot be read (${(cause as NodeJS.ErrnoException).code}): check the path`);
  });
  if (info.isFile()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(json|safetensors|txt)$/.test(name));
  if (!names.includes('config.json'))
    throw invalidArgument('path', `${path} has no config.json: it is no Hugging Face directory`);
  return names.sort().map((name) => join(path, name));
}

export interface ImportModelOptions {
  name: string;
  path: string;
  requestId?: string;
  noPromote?: boolean;
}

export async function importModel(context: Context, options: ImportModelOptions): Promise<ModelVersion> {
  const { name, path, requestId = randomUUID(), noPromote = false } = options;
  const { weightLoader } = await context.services();
  const bar = context.output.progress(`import ${name}`);
  const files: ObjectRef[] = [];
  for (const file of await modelFiles(path)) {
    const parts = uploadParts(file, (progress) => bar.update(progress));
    const uploaded = await weightLoader.uploadModelFile(parts, { signal: context.signal });
    if (uploaded.file) files.push(uploaded.file);
  }
  const request = { requestId, name, files, noPromote };
  for await (const { event } of weightLoader.importModel(request, { signal: context.signal })) {
    if (event?.$case === 'progress') bar.update(event.value);
    if (event?.$case === 'version') {
      bar.done(`${formatRef(event.value.ref)}, ${formatCount(event.value.parameters)} parameters`);
      return event.value;
    }
  }
  throw new AppError('INTERNAL', `model ${name}: the stream ended before the version came: try again`);
}
