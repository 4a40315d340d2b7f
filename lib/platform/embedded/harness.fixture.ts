// The contract suites' harness for the embedded seams: a home in a temporary folder.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../config.ts';
import type { Harness } from '../contract/harness.ts';
import { openPlatform } from '../platform.ts';
import { platformSettings } from '../settings.ts';

export async function createEmbeddedHarness(): Promise<Harness> {
  const home = await mkdtemp(join(tmpdir(), 'strata-contract-'));
  const env = { STRATA_HOME: home };
  return {
    open: () => openPlatform(readConfig(platformSettings, env)),
    config: JSON.stringify(env),
    dispose: () => rm(home, { recursive: true, force: true, maxRetries: 10 }),
  };
}
