// Every key of the key-value store and of the object store, as functions: nobody else puts one together.

/** Names of models, datasets, tokenizers and tasks: 1 to 63 lower-case letters, digits and dashes (they end up in Kubernetes names). */
export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const nameRule =
  'must be 1 to 63 lower-case letters, digits and dashes, and begin and end with a letter or digit';

/** Versions are `v1`, `v2`, … */
export const versionPattern = /^v[1-9][0-9]{0,8}$/;
export const versionName = (number: number): string => `v${number}`;

/** Tenants: no dash, so that a name belongs to at most one of them (`acme-news` is of acme). */
export const tenantPattern = /^[a-z0-9]{1,20}$/;
export const tenantRule = 'must be 1 to 20 lower-case letters and digits, without dashes';
export const tenantPrefix = (tenant: string): string => `${tenant}-`;

/** State. The plural ones are prefixes, for list and watch. The types say which root a key has: StateRoot is made of them. */
export const keys = {
  runs: 'runs',
  run: (id: string): `runs.${string}` => `runs.${id}`,
  metrics: (runId: string): `metrics.${string}` => `metrics.${runId}`,
  /** Nine digits, so that keys sort as steps do. */
  metric: (runId: string, step: number): `metrics.${string}` => `metrics.${runId}.${String(step).padStart(9, '0')}`,
  models: 'models',
  model: (name: string): `models.${string}` => `models.${name}`,
  tokenizers: 'tokenizers',
  tokenizer: (name: string): `tokenizers.${string}` => `tokenizers.${name}`,
  datasets: 'datasets',
  dataset: (name: string): `datasets.${string}` => `datasets.${name}`,
  evaluations: 'evaluations',
  evaluation: (id: string): `evaluations.${string}` => `evaluations.${id}`,
  pipelines: 'pipelines',
  pipeline: (task: string): `pipelines.${string}` => `pipelines.${task}`,
  /** Which labelled files a task has, and which pipeline run took each. */
  labels: (task: string): `labels.${string}` => `labels.${task}`,
  pipelineRuns: 'pipeline-runs',
  pipelineRun: (id: string): `pipeline-runs.${string}` => `pipeline-runs.${id}`,
  /** When a service was last needed: `Activity`. */
  activity: (service: string): `activity.${string}` => `activity.${service}`,
} as const;

type KeyOf<T> = T extends (...args: never[]) => infer Key ? Key : T;
type RootOf<Key> = Key extends `${infer Root}.${string}` ? Root : Key;
type Root = RootOf<KeyOf<(typeof keys)[keyof typeof keys]>>;
/** The first token of every key there is. (`never`, and whoever lists them all does not compile, where a key's type does not say its root.) */
export type StateRoot = string extends Root ? never : Root;

/** Written by a service while it works, and by whoever waits for it. */
export interface Activity {
  /** ISO time. */
  wantedAt: string;
}

/** Objects. The ones without a file are prefixes of an artefact (manifest.json and its parts). */
export const objectKeys = {
  uploads: 'uploads',
  /** Everything that somebody has uploaded. */
  uploadsOf: (owner: string): string => `uploads/${owner}`,
  /** `owner` keeps a tenant's uploads apart: whoever knows a file's hash cannot name another's upload of it. */
  upload: (sha256: string, file: string, owner = ''): string =>
    owner ? `uploads/${owner}/${sha256}/${file}` : `uploads/${sha256}/${file}`,
  tokenizer: (name: string, version: string): string => `tokenizers/${name}/${version}`,
  dataset: (name: string, version: string): string => `datasets/${name}/${version}`,
  model: (name: string, version: string): string => `models/${name}/${version}`,
  checkpoints: (runId: string): string => `runs/${runId}/checkpoints`,
  /** Nine digits, so that keys sort as steps do. */
  checkpoint: (runId: string, step: number): string => `runs/${runId}/checkpoints/${String(step).padStart(9, '0')}`,
  runModel: (runId: string): string => `runs/${runId}/model`,
  evaluation: (id: string): string => `evaluations/${id}`,
  inboxes: 'inbox',
  inbox: (task: string): string => `inbox/${task}`,
  label: (task: string, sha256: string, file: string): string => `inbox/${task}/${sha256}/${file}`,
  /** There while a backup is being restored, or where that was interrupted: what lies beside it is not whole. */
  unfinishedRestore: 'restore/unfinished.json',
} as const;
