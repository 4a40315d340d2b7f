// How an artefact is named to people.
import type { ArtifactRef } from './gen/strata/common/v1/common.ts';

/** `shakespeare@v3`; without a version just the name; nothing for no reference. */
export const formatRef = (ref: ArtifactRef | undefined): string =>
  ref?.version ? `${ref.name}@${ref.version}` : (ref?.name ?? '');
