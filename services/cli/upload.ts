// A local file as the messages of an upload stream, with progress and an error that names the path.
import type { Progress, UploadHeader } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import { uploadFile } from '#lib/platform/upload.ts';

export interface UploadPart {
  part: { $case: 'header'; value: UploadHeader } | { $case: 'chunk'; value: Buffer };
}

export async function* uploadParts(
  path: string,
  onProgress?: (progress: Progress) => void,
): AsyncGenerator<UploadPart> {
  let done = 0;
  let total = 0;
  try {
    for await (const { part } of uploadFile(path)) {
      if (part?.$case === 'header') {
        total = part.value.sizeBytes;
        yield { part };
      }
      if (part?.$case === 'chunk') {
        done += part.value.byteLength;
        yield { part: { $case: 'chunk', value: Buffer.from(part.value) } };
      }
      onProgress?.({ phase: 'upload', done, total, unit: 'bytes', remainingSeconds: 0 });
    }
  } catch (cause) {
    const { code, path: named } = cause as NodeJS.ErrnoException;
    if (!code || !named) throw cause;
    throw invalidArgument('file', `${path} cannot be read (${code}): check the path`);
  }
}
