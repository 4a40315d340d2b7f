// Puts a labelled file into a task's inbox: used by `strata labels add` and by the demo.
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { AddLabelsRequest } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { uploadParts } from '../upload.ts';

export async function addLabels(context: Context, task: string, path: string): Promise<ObjectRef> {
  const { orchestrator } = await context.services();
  async function* parts(): AsyncGenerator<AddLabelsRequest> {
    for await (const { part } of uploadParts(path)) {
      if (part.$case === 'chunk') yield { part };
      else yield { part: { $case: 'header', value: { task, file: part.value } } };
    }
  }
  const { labels } = await orchestrator.addLabels(parts(), { signal: context.signal });
  if (!labels) throw new AppError('INTERNAL', `${path}: the upload was not confirmed: try again`);
  return labels;
}
