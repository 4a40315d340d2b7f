// strata model: import | export | list | show | promote | rollback

import { once } from 'node:events';
import type { WriteStream } from 'node:fs';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { Model, ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { Act, Context } from '../context.ts';
import { fields, formatBytes, formatCount, table } from '../output.ts';
import { parseRef } from '../refs.ts';
import { importModel } from '../work/import-model.ts';

const aliasesOf = (model: Model, version: string | undefined): string =>
  model.aliases
    .filter((alias) => alias.version === version)
    .map((alias) => alias.name)
    .join(' ');

const showVersion = (version: ModelVersion): string =>
  fields({
    model: formatRef(version.ref),
    type: version.modelType,
    parameters: formatCount(version.parameters),
    context: version.contextLength,
    vocabulary: version.vocabSize,
    labels: version.labels.join(' '),
    chat: version.chat ? 'yes' : '',
    size: formatBytes(version.sizeBytes),
    base: formatRef(version.lineage?.base),
    run: version.lineage?.runId,
    datasets: version.lineage?.datasets.map(formatRef).join(' '),
    source: version.lineage?.source,
    sha256: version.sha256,
    created: version.createTime,
  });

const showModels = (models: Model[]): string =>
  table(
    ['MODEL', 'ALIASES', 'TYPE', 'PARAMETERS', 'SIZE', 'CREATED'],
    models.flatMap((model) =>
      model.versions.map((version) => [
        formatRef(version.ref),
        aliasesOf(model, version.ref?.version),
        version.labels.length
          ? `${version.modelType} classifier`
          : version.chat
            ? `${version.modelType} chat`
            : version.modelType,
        formatCount(version.parameters),
        formatBytes(version.sizeBytes),
        version.createTime,
      ]),
    ),
    'no model yet: strata model import --help, or strata run create --help',
  );

async function exportModel(context: Context, ref: string, folder: string): Promise<void> {
  const { weightLoader } = await context.services();
  await mkdir(folder, { recursive: true });
  const bar = context.output.progress(`export ${ref}`);
  const names: string[] = [];
  let file: WriteStream | undefined;
  const endFile = async () => {
    if (!file) return;
    file.end();
    await finished(file);
  };
  for await (const { part } of weightLoader.exportModel({ model: parseRef(ref) }, { signal: context.signal })) {
    if (part?.$case === 'file') {
      await endFile();
      names.push(part.value.filename);
      file = createWriteStream(join(folder, part.value.filename));
      bar.update({ phase: part.value.filename, done: 0, total: 0, unit: '', remainingSeconds: 0 });
    }
    if (part?.$case === 'chunk' && file && !file.write(part.value)) await once(file, 'drain');
  }
  await endFile();
  bar.done();
  context.output.result({ folder, files: names }, (value) => `${value.folder}: ${value.files.join(' ')}`);
}

export function addModelCommands(program: Command, act: Act): void {
  const model = program.command('model').description('the registry: import, export, versions, aliases');

  model
    .command('import <name> <path>')
    .description('a GGUF file, or a Hugging Face directory (safetensors)')
    .option('--no-promote', 'do not move the alias "production" to it')
    .addHelpText(
      'after',
      '\nExamples:\n  strata model import smollm2 SmolLM2.gguf\n  strata model import gpt2 ./gpt2-directory',
    )
    .action(
      act(async (context, name: string, path: string, { promote }: { promote: boolean }) => {
        context.output.result(await importModel(context, { name, path, noPromote: !promote }), showVersion);
      }),
    );

  model.command('export <ref> <folder>').description('as a Hugging Face directory').action(act(exportModel));

  model
    .command('list')
    .description('all models and their versions')
    .action(
      act(async (context) => {
        const { models } = await (await context.services()).weightLoader.listModels({});
        context.output.result(models, showModels);
      }),
    );

  model
    .command('show <ref>')
    .description('one version: where it comes from, what it is')
    .action(
      act(async (context, ref: string) => {
        const { version } = await (await context.services()).weightLoader.getModel({ model: parseRef(ref) });
        if (version) context.output.result(version, showVersion);
      }),
    );

  model
    .command('promote <ref>')
    .description('move an alias to a version; inference serves it without dropping a stream')
    .option('--alias <alias>', 'which alias', 'production')
    .option('--reason <text>', 'kept in the history', 'by hand')
    .addHelpText('after', '\nExample:\n  strata model promote spam@v3')
    .action(
      act(async (context, ref: string, flags: { alias: string; reason: string }) => {
        const { model: moved } = await (await context.services()).weightLoader.promoteModel({
          model: parseRef(ref),
          ...flags,
        });
        context.output.result(moved ? [moved] : [], showModels);
      }),
    );

  model
    .command('rollback <name>')
    .description('move an alias back to where it pointed before')
    .option('--alias <alias>', 'which alias', 'production')
    .option('--reason <text>', 'kept in the history', 'by hand')
    .action(
      act(async (context, name: string, flags: { alias: string; reason: string }) => {
        const { model: moved } = await (await context.services()).weightLoader.rollbackModel({ name, ...flags });
        context.output.result(moved ? [moved] : [], showModels);
      }),
    );
}
