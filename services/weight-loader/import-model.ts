// Uploaded files -> a version: they are checked against their hashes, converted in a thread, and stored as a Hugging Face directory.
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectRef, Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { type ImportModelRequest, Lineage } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError, hasCode, invalidArgument, notFound } from '#lib/platform/errors.ts';
import type { ArtifactWriter } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { hashFile } from '#lib/platform/upload.ts';
import type { Files } from './convert/files.ts';
import { createVersion, findMade, type Registry, requestKey } from './create-version.ts';
import { productionAlias, type VersionRecord } from './model.ts';

export interface ImportOptions {
  codeVersion: string;
  report(progress: Partial<Progress>): void;
  signal: AbortSignal;
}

export async function importModel(
  registry: Registry,
  request: ImportModelRequest,
  options: ImportOptions,
): Promise<VersionRecord> {
  const { name, noPromote } = request;
  const { report, signal } = options;
  const key = requestKey('import', request.requestId);
  const made = await findMade(registry, name, key);
  if (made) return made;
  const uploads = checkFiles(request.files);
  const into = await mkdtemp(join(tmpdir(), 'strata-import-'));
  try {
    const facts = await withUploads(registry.objects, uploads, (files) =>
      registry.converter.convert(
        { files, into },
        { signal, onProgress: (progress) => report({ ...progress, unit: 'bytes' }) },
      ),
    );
    signal.throwIfAborted();
    return await createVersion(registry, {
      name,
      request: key,
      facts,
      lineage: lineageOf(uploads, options.codeVersion),
      promoteTo: noPromote ? undefined : request.promoteTo || productionAlias,
      write: (artifact) => writeFolder(artifact, into, options),
    });
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

interface Upload {
  file: string;
  sha256: string;
  key: string;
}

const uploadKey = /^uploads\/(?:[a-z0-9]{1,20}\/)?([0-9a-f]{64})\/([^/]+)$/;

function checkFiles(files: readonly ObjectRef[]): Upload[] {
  const uploads = files.map(({ key }): Upload => {
    const [, sha256, file] = uploadKey.exec(key) ?? [];
    if (!sha256 || !file)
      throw invalidArgument('files', `${JSON.stringify(key)} is no upload: UploadModelFile gives the keys`);
    return { key, sha256, file };
  });
  const names = new Set(uploads.map(({ file }) => file));
  if (names.size < uploads.length) throw invalidArgument('files', 'two files have the same name');
  const ggufs = uploads.filter(({ file }) => file.endsWith('.gguf'));
  const isOneModel = ggufs.length === 0 ? names.has('config.json') : uploads.length === 1;
  if (!isOneModel)
    throw invalidArgument(
      'files',
      'one .gguf file alone, or the files of a Hugging Face directory with its config.json',
    );
  return uploads;
}

/** Gives `use` the uploads as local files, each checked against the hash in its key. */
async function withUploads<T>(
  objects: ObjectStore,
  uploads: readonly Upload[],
  use: (files: Files) => Promise<T>,
): Promise<T> {
  const open = (left: readonly Upload[], files: Files): Promise<T> => {
    const [upload, ...rest] = left;
    if (!upload) return use(files);
    const opened = objects.withLocalFile(upload.key, async (path) => {
      await checkUpload(upload, path);
      return open(rest, { ...files, [upload.file]: path });
    });
    return opened.catch((error) => {
      throw isMissing(error, upload.key) ? notFound('upload', upload.key, 'upload the file again') : error;
    });
  };
  return open(uploads, {});
}

const isMissing = (error: unknown, key: string): boolean => hasCode(error, 'NOT_FOUND') && error.details.name === key;

async function checkUpload({ key, file, sha256 }: Upload, path: string): Promise<void> {
  const found = await hashFile(path);
  if (found === sha256) return;
  throw new AppError('DATA_LOSS', `${file} is damaged in the store (${key} has SHA-256 ${found}): upload it again`);
}

/** The file that carries the weights stands for the source. */
function lineageOf(uploads: readonly Upload[], codeVersion: string): Lineage {
  const main =
    uploads.find(({ file }) => /\.gguf$|^model\.safetensors$/.test(file)) ??
    uploads.find(({ file }) => file === 'model.safetensors.index.json');
  const source = main?.file.endsWith('.gguf') ? 'gguf' : 'huggingface';
  return Lineage.fromPartial({ source, sourceSha256: main?.sha256 ?? '', codeVersion });
}

async function writeFolder(artifact: ArtifactWriter, folder: string, { report, signal }: ImportOptions): Promise<void> {
  const files = (await readdir(folder)).sort();
  for (const [done, file] of files.entries()) {
    report({ phase: 'storing', done, total: files.length, unit: 'files' });
    await artifact.write(file, createReadStream(join(folder, file), { highWaterMark: 1 << 20 }), { signal });
  }
}
