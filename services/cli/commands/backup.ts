// strata backup: create | restore. Works on state and objects themselves, not through the services: those of this home, or those that
// STRATA_BROKER and STRATA_OBJECT_STORE name.
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { withCheckedFile, withStored, writeArchiveFile } from '#lib/platform/backup/archive-file.ts';
import type { BackupSummary, OnProgress } from '#lib/platform/backup/archive-format.ts';
import { createBackup } from '#lib/platform/backup/create-backup.ts';
import { restoreBackup } from '#lib/platform/backup/restore-backup.ts';
import { lockHome } from '#lib/platform/embedded/home-lock.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { createProgressMeter } from '#lib/platform/progress-meter.ts';
import type { Act, Context } from '../context.ts';
import { fields, formatBytes, formatCount } from '../output.ts';

const examples = `
Examples:
  strata backup create strata.tar
  strata backup create - | zstd | ssh store 'cat > strata.tar.zst'
  strata backup restore strata.tar
  kubectl exec deploy/strata-orchestrator -- node services/cli/main.ts backup create - > strata.tar`;

export function addBackupCommands(program: Command, act: Act): void {
  const backup = program
    .command('backup')
    .description('everything in one tar archive: state and objects, checked by their SHA-256');

  backup
    .command('create <file>')
    .description('write a backup; the services may go on working. "-": to standard output')
    .addHelpText('after', examples)
    .action(act(create));

  backup
    .command('restore <file>')
    .description('bring back a backup, here or anywhere else; stop the services before. "-": from standard input')
    .option('--force', 'the target is not empty: all that it holds is replaced by what the archive holds')
    .addHelpText('after', examples)
    .action(act(restore));
}

async function create(context: Context, file: string): Promise<void> {
  const { output, signal } = context;
  const summary = await withPlatform(context, 'backup', (platform, onProgress) => {
    const options = { signal, onProgress };
    return file === '-'
      ? createBackup(platform, process.stdout, { ...options, end: false })
      : writeArchiveFile(file, (destination) => createBackup(platform, destination, options));
  });
  if (file === '-') output.note(describe(summary));
  else output.result({ file, ...summary }, describe);
}

async function restore(context: Context, file: string, { force = false }: { force?: boolean }): Promise<void> {
  const { output, config, signal } = context;
  const isHere = config.broker === 'embedded' || config.objectStore === 'embedded';
  const lock = isHere ? lockHome(config.home) : undefined;
  try {
    const summary = await withPlatform(context, 'restore', (platform, onProgress) => {
      const restoreFrom = (source: Readable, onProgress: OnProgress) =>
        restoreBackup(platform, source, { force, signal, onProgress });
      const restoreFile = (path: string) => withCheckedFile(path, restoreFrom, onProgress);
      if (file !== '-') return restoreFile(file);
      // Nothing is thrown away for an archive that may turn out to be damaged.
      return force ? withStored(process.stdin, restoreFile) : restoreFrom(process.stdin, onProgress);
    });
    output.result(summary, describe);
  } finally {
    lock?.release();
  }
}

type Use<T> = (platform: Platform, onProgress: OnProgress) => Promise<T>;

async function withPlatform<T>({ config, output }: Context, title: string, use: Use<T>): Promise<T> {
  const { broker, objectStore, home, natsUrl, s3Endpoint, s3Bucket } = config;
  const state = broker === 'nats' ? natsUrl : home;
  const objects = objectStore === 's3' ? `${s3Endpoint}/${s3Bucket}` : home;
  output.note(`state: ${state}\nobjects: ${objects}`);
  const platform = await openPlatform(config);
  const bar = output.progress(title);
  try {
    const result = await use(platform, createProgressMeter((progress) => bar.update(progress)).report);
    bar.done();
    return result;
  } catch (error) {
    bar.stop();
    throw error;
  } finally {
    await platform.close();
  }
}

const describe = ({ id, createdAt, stateEntries, objects, objectBytes }: BackupSummary): string =>
  fields({
    backup: id,
    of: createdAt,
    state: `${formatCount(stateEntries)} entries`,
    objects: `${formatCount(objects)} (${formatBytes(objectBytes)})`,
  });
