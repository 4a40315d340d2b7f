// The files of a Hugging Face directory -> model and tokenizer.
import { configFromJson } from '#lib/model/config-json.ts';
import { ModelFormatError } from '#lib/model/formats/byte-source.ts';
import { readHfDirectory } from '#lib/model/formats/hf-directory.ts';
import { createGpt2TokenizerFromFiles } from '#lib/text/gpt2.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { readTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { type Files, type LoadedModel, textOf } from './files.ts';

export async function readDirectory(files: Files): Promise<LoadedModel> {
  const { config, weights } = await readHfDirectory(async (name) => files[name]);
  return { config: configFromJson(config), weights, tokenizer: await readTokenizer(files) };
}

/** tokenizer.json, with the chat template wherever it is; or GPT-2's two older files. */
async function readTokenizer(files: Files): Promise<Tokenizer> {
  const json = await textOf(files, 'tokenizer.json');
  if (json !== undefined) {
    const config = withTemplate(
      await textOf(files, 'tokenizer_config.json'),
      await textOf(files, 'chat_template.jinja'),
    );
    return readTokenizerFiles({ 'tokenizer.json': json, 'tokenizer_config.json': config });
  }
  const [vocabulary, merges] = [await textOf(files, 'vocab.json'), await textOf(files, 'merges.txt')];
  if (vocabulary === undefined || merges === undefined) {
    throw new ModelFormatError('the directory has no tokenizer: neither tokenizer.json nor vocab.json with merges.txt');
  }
  return createGpt2TokenizerFromFiles({ encoder: JSON.parse(vocabulary), merges });
}

/** Newer directories keep the template in a file of its own. */
function withTemplate(config: string | undefined, template: string | undefined): string | undefined {
  if (template === undefined) return config;
  return JSON.stringify({ ...JSON.parse(config ?? '{}'), chat_template: template });
}
