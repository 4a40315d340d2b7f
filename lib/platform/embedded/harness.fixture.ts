// The contract suites' harness for the embedded seams: a home in a temporary folder.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../config.ts';
import type { Harness } from '../contract/harness.ts';
import { openPlatform } from '../platform.ts';

export async function createEmbeddedHarness(): Promise<Harness> {
  const home = await mkdtemp(join(tmpdir(), 'strata-contract-'));
  const config = { platform: 'embedded' as const, home };
  return {
    open: () => openPlatform({ ...config, jobEnvironment: new Secret({}) }),
    config: JSON.stringify(config),
    dispose: () => rm(home, { recursive: true, force: true, maxRetries: 10 }),
  };
}
