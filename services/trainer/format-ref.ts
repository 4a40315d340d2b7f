// How an artefact is named to people.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';

/** `shakespeare@v3`; without a version just the name. */
export const formatRef = (ref: ArtifactRef | undefined): string =>
  ref?.version ? `${ref.name}@${ref.version}` : (ref?.name ?? '');
