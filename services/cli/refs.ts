// How a person writes a reference on the command line: `name`, `name@v3`, `name@production`, and weighted lists of datasets.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { invalidArgument } from '#lib/platform/errors.ts';

/** `docs@v2` -> { name: 'docs', version: 'v2' }; without `@` the version is empty: the newest, or what is in production. */
export function parseRef(text: string): ArtifactRef {
  const [name = '', version = '', ...rest] = text.split('@');
  if (!name || rest.length)
    throw invalidArgument('reference', `"${text}" is no reference: write name, name@v2 or name@alias`);
  return { name, version };
}

/** `docs@v1=3` -> a part of a mixture with weight 3; without `=` the weight is 0: by size. */
export function parseMixturePart(text: string): { dataset: ArtifactRef; weight: number } {
  const [ref = '', weight = '0'] = text.split('=');
  const value = Number(weight);
  if (!Number.isFinite(value) || value < 0)
    throw invalidArgument('dataset', `"${text}": the weight after = has to be a number >= 0`);
  return { dataset: parseRef(ref), weight: value };
}
