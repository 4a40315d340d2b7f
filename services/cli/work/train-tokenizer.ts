// Upload the files, train, report progress: used by `strata tokenizer train` and by the demo.
import { randomUUID } from 'node:crypto';
import type { Tokenizer, TokenizerKind } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { formatCount } from '../output.ts';
import { uploadSources } from './upload-sources.ts';

export interface TrainTokenizerOptions {
  name: string;
  files: string[];
  kind: TokenizerKind;
  vocabSize: number;
  requestId?: string;
}

export async function trainTokenizer(context: Context, options: TrainTokenizerOptions): Promise<Tokenizer> {
  const { name, files, kind, vocabSize, requestId = randomUUID() } = options;
  const { tokenizer } = await context.services();
  const bar = context.output.progress(`tokenizer ${name}`);
  const sources = await uploadSources(context, files, (progress) => bar.update(progress));
  const request = { requestId, name, kind, vocabSize, sources };
  for await (const { event } of tokenizer.trainTokenizer(request, { signal: context.signal })) {
    if (event?.$case === 'progress') bar.update(event.value);
    if (event?.$case === 'tokenizer') {
      bar.done(`${formatCount(event.value.vocabSize)} ids`);
      return event.value;
    }
  }
  throw new AppError('INTERNAL', `tokenizer ${name}: the stream ended before the tokenizer came: try again`);
}
