// What a backup looks like: a tar archive that any tar reads.
//
//   backup.json                     what this is
//   state/0001-pipeline-runs.jsonl  a line an entry: {"key": …, "value": …}; a file holds entries of one root
//   objects/<key>                   each object as it is
//   manifest.json                   counts, and size and SHA-256 of every file before it; an archive without it is incomplete
import { z } from 'zod';

export const formatVersion = 1;

export const paths = {
  header: 'backup.json',
  state: 'state/',
  objects: 'objects/',
  manifest: 'manifest.json',
} as const;

export const headerSchema = z.object({
  kind: z.literal('strata-backup'),
  format: z.literal(formatVersion),
  /** Names this backup: a restore that was interrupted goes on with the same one. */
  id: z.string().min(1),
  created_at: z.string(),
});
export type Header = z.output<typeof headerSchema>;

const entrySchema = z.object({
  path: z.string(),
  size_bytes: z.number().int().min(0),
  sha256: z.string(),
});
export type ArchiveEntry = z.output<typeof entrySchema>;

export const manifestSchema = headerSchema.extend({
  state_entries: z.number().int(),
  objects: z.number().int(),
  object_bytes: z.number().int(),
  entries: z.array(entrySchema),
});
export type BackupManifest = z.output<typeof manifestSchema>;

export const lineSchema = z.object({ key: z.string(), value: z.unknown() });

/** What both commands report in the end. */
export interface BackupSummary {
  id: string;
  createdAt: string;
  stateEntries: number;
  objects: number;
  objectBytes: number;
}

export const toSummary = (manifest: Omit<BackupManifest, 'entries'>): BackupSummary => ({
  id: manifest.id,
  createdAt: manifest.created_at,
  stateEntries: manifest.state_entries,
  objects: manifest.objects,
  objectBytes: manifest.object_bytes,
});

/** Told how far the work is. `total` 0: nobody knows. */
export type OnProgress = (phase: string, done: number, total: number, unit: string) => void;
