// A model as the registry keeps it: immutable versions, and aliases that move between them. Pure: each move gives a new record.
import { versionName, versionPattern } from '#lib/contracts/keys.ts';

/** What the files of a version say about it. */
export interface ModelFacts {
  /** "gpt2", "llama". */
  modelType: string;
  parameters: number;
  contextLength: number;
  vocabSize: number;
  /** Class names where it is a classifier. */
  labels: string[];
  /** Whether it carries a chat template. */
  chat: boolean;
}

export interface VersionRecord extends ModelFacts {
  version: string;
  /** Of its files in the object store. */
  prefix: string;
  sizeBytes: number;
  /** Of its manifest. */
  sha256: string;
  tokenizerSha256: string;
  /** The contract's Lineage in its JSON form, which survives added fields. */
  lineage: unknown;
  createTime: string;
}

export interface Move {
  kind: 'promote' | 'rollback';
  version: string;
  time: string;
  reason: string;
}

export interface ModelRecord {
  name: string;
  /** Number of the next version. */
  next: number;
  /** Request -> the version it makes or has made: what makes a repeated request harmless. */
  requests: Record<string, string>;
  /** In the order in which they were completed. */
  versions: VersionRecord[];
  /** Oldest move first. */
  aliases: Record<string, Move[]>;
}

/** The alias that counts where none is named. */
export const productionAlias = 'production';

/** A move that the registry does not make; the message says why. */
export class ModelMoveError extends Error {
  override readonly name = 'ModelMoveError';
}

export const newModel = (name: string): ModelRecord => ({ name, next: 1, requests: {}, versions: [], aliases: {} });

/** Gives a request the version that it will make. */
export function reserveVersion(model: ModelRecord, request: string): ModelRecord {
  if (model.requests[request]) return model;
  const version = versionName(model.next);
  return { ...model, next: model.next + 1, requests: { ...model.requests, [request]: version } };
}

export const versionOf = (model: ModelRecord, version: string): VersionRecord | undefined =>
  model.versions.find((candidate) => candidate.version === version);

export const newestOf = (model: ModelRecord): VersionRecord | undefined =>
  model.versions.reduce<VersionRecord | undefined>(
    (newest, candidate) => (newest && numberOf(newest) > numberOf(candidate) ? newest : candidate),
    undefined,
  );

const numberOf = ({ version }: VersionRecord): number => Number(version.slice(1));

/** Adds a version whose files are committed. */
export const addVersion = (model: ModelRecord, version: VersionRecord): ModelRecord =>
  versionOf(model, version.version) ? model : { ...model, versions: [...model.versions, version] };

/** `version` is a version, an alias, or empty: production, or else the newest. */
export function resolveVersion(model: ModelRecord, version: string): VersionRecord | undefined {
  if (version === '') return versionOf(model, targetOf(model, productionAlias) ?? '') ?? newestOf(model);
  return versionOf(model, versionPattern.test(version) ? version : (targetOf(model, version) ?? ''));
}

/** Where an alias points. */
export const targetOf = (model: ModelRecord, alias: string): string | undefined =>
  movesOf(model, alias).at(-1)?.version;

export const movesOf = (model: ModelRecord, alias: string): readonly Move[] =>
  Object.hasOwn(model.aliases, alias) ? (model.aliases[alias] as Move[]) : [];

export interface MoveOptions {
  alias: string;
  time: string;
  reason: string;
}

/** Points an alias to a version; where it points there already, nothing moves. */
export function promote(model: ModelRecord, version: string, { alias, time, reason }: MoveOptions): ModelRecord {
  if (targetOf(model, alias) === version) return model;
  return withMove(model, alias, { kind: 'promote', version, time, reason });
}

/** Points an alias to where it was before its last promotion: a second rollback goes one further back. Throws ModelMoveError. */
export function rollBack(model: ModelRecord, { alias, time, reason }: MoveOptions): ModelRecord {
  const trail = trailOf(movesOf(model, alias));
  const [before, now] = trail.slice(-2);
  if (before === undefined || now === undefined) {
    const where = trail.length ? `has pointed nowhere before ${trail[0]}` : 'does not exist';
    throw new ModelMoveError(`alias "${alias}" of model "${model.name}" ${where}: there is nothing to roll back to`);
  }
  return withMove(model, alias, { kind: 'rollback', version: before, time, reason });
}

/** The promotions that no rollback has undone. */
function trailOf(moves: readonly Move[]): string[] {
  const trail: string[] = [];
  for (const { kind, version } of moves) {
    if (kind === 'promote') trail.push(version);
    else trail.pop();
  }
  return trail;
}

const withMove = (model: ModelRecord, alias: string, move: Move): ModelRecord => ({
  ...model,
  aliases: { ...model.aliases, [alias]: [...movesOf(model, alias), move] },
});
