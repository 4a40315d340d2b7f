// Where tests find texts and reference numbers that are not part of the repository: STRATA_DATA_DIR, or ../shared/data.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from '@jest/globals';

const asked = process.env.STRATA_DATA_DIR ?? path.join(__dirname, '../../../shared/data');

/** undefined where this machine has none. */
export const dataDir = existsSync(asked) ? asked : undefined;

/** A test that needs the data; where there is none its name says why it is skipped. */
export const testWithData = (name: string, run: (dataDir: string) => void | Promise<void>): void => {
  if (dataDir === undefined) test.skip(`${name} (needs STRATA_DATA_DIR; ${asked} does not exist)`, () => undefined);
  else test(name, () => run(dataDir));
};
