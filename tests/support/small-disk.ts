// Small disks that a test can fill up: a tmpfs of 16 MB. Mounting needs root; where this user may not, the tests say so and are skipped.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';

const mounts: string[] = [];

/** Makes `folder` a disk of 16 MB; undefined where this user may not mount. */
export const mountSmallDisk = (folder: string): string | undefined => {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  mounts.push(folder);
  return folder;
};

export const unmountSmallDisks = (): void => {
  for (const folder of mounts.splice(0)) execFileSync('umount', ['-l', folder]);
};

const probe = mkdtempSync(join(tmpdir(), 'strata-mount-'));
const mayMount = mountSmallDisk(probe) !== undefined;
unmountSmallDisks();
rmSync(probe, { recursive: true });

export const testOnSmallDisk = (name: string, run: () => Promise<void>): void =>
  mayMount ? test(name, run) : test.skip(`${name} (needs to mount a tmpfs: run as root)`, run);

/** Takes every block that is left; gives it back with `free`. */
export const fillUp = (folder: string): { free(): void } => {
  const file = join(folder, 'filler');
  for (let size = 1 << 20; size >= 512; size /= 2) {
    while (statfsSync(folder).bavail * statfsSync(folder).bsize >= size && tryToAppend(file, size));
  }
  return { free: () => rmSync(file) };
};

const tryToAppend = (file: string, size: number): boolean => {
  try {
    writeFileSync(file, Buffer.alloc(size), { flag: 'a' });
    return true;
  } catch {
    return false;
  }
};
