// The thread that turns previewed tokens back into text: loading a vocabulary takes longer than a server may be silent.
import { serveWorker } from '#lib/platform/worker-call.ts';
import { readTokenizerFiles, type TokenizerFiles } from '#lib/text/tokenizer-files.ts';

const methods = {
  decode: async ({ files, rows }: { files: TokenizerFiles; rows: Int32Array[] }): Promise<string[]> => {
    const tokenizer = readTokenizerFiles(files);
    return rows.map((ids) => tokenizer.decode(ids));
  },
};

export type PreviewMethods = typeof methods;

serveWorker(methods);
