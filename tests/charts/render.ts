// The chart as Helm renders it, and the objects that come out.
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { fetchTool } from '#lib/platform/artifacts.ts';
import { readConfig } from '#lib/platform/config.ts';
import { platformSettings } from '#lib/platform/settings.ts';

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

export interface EnvVar {
  name: string;
  value?: string;
}

export interface Container {
  name: string;
  image: string;
  env?: EnvVar[];
  envFrom?: { configMapRef?: { name: string } }[];
  resources?: { limits?: Record<string, unknown>; requests?: Record<string, unknown> };
  securityContext?: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string }[];
  startupProbe?: unknown;
  livenessProbe?: unknown;
  readinessProbe?: unknown;
}

export interface PodSpec {
  containers: Container[];
  volumes?: { name: string }[];
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  securityContext?: Record<string, unknown>;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
}

export const root = join(__dirname, '../..');
export const chart = join(root, 'charts/strata');
const run = promisify(execFile);

/** Helm 4: the machine's, or the pinned one of deploy/tools.json. */
async function findHelm(): Promise<string> {
  try {
    if (execFileSync('helm', ['version', '--short'], { encoding: 'utf8' }).startsWith('v4.')) return 'helm';
  } catch {
    // None on PATH.
  }
  const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, process.env);
  return join(await fetchTool('helm', { cacheDir }), 'helm');
}

let program: Promise<string> | undefined;

/** What it prints; an error has what it says. */
export async function helm(...args: string[]): Promise<string> {
  program ??= findHelm();
  return (await run(await program, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 })).stdout;
}

export interface Preset {
  /** Files of the chart: `values-kind.yaml`. */
  files?: string[];
  /** `--set`s. */
  set?: Record<string, string | number | boolean>;
  namespace?: string;
}

export const toArgs = ({ files = [], set = {}, namespace = 'somewhere' }: Preset): string[] => [
  '--namespace',
  namespace,
  ...files.flatMap((file) => ['--values', join(chart, file)]),
  ...Object.entries(set).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
];

export const template = (preset: Preset): Promise<string> => helm('template', 'strata', chart, ...toArgs(preset));

/** Kubernetes reads YAML 1.1, where a bare `on` is true. */
export async function render(preset: Preset): Promise<KubeObject[]> {
  const documents = parseAllDocuments(await template(preset), { version: '1.1' });
  const broken = documents.flatMap(({ errors }) => errors);
  if (broken.length) throw broken[0];
  return documents.map((document) => document.toJS() as KubeObject | null).filter((object) => object !== null);
}

/** The pods that an object makes, also the Job inside the ConfigMap for jobs. */
export function podsOf(object: KubeObject): PodSpec[] {
  if (object.kind === 'Pod') return [object.spec as PodSpec];
  const { template } = (object.spec ?? {}) as { template?: { spec: PodSpec } };
  return template ? [template.spec] : [];
}
