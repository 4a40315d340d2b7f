// Uploads local files as data sources, one after the other.
import type { ObjectRef, Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { uploadParts } from '../upload.ts';

export async function uploadSources(
  context: Context,
  files: string[],
  onProgress?: (progress: Progress) => void,
): Promise<ObjectRef[]> {
  const { dataSampler } = await context.services();
  const sources: ObjectRef[] = [];
  for (const file of files) {
    const { source } = await dataSampler.uploadSource(uploadParts(file, onProgress), { signal: context.signal });
    if (!source) throw new AppError('INTERNAL', `${file}: the upload was not confirmed: try again`);
    sources.push(source);
  }
  return sources;
}
