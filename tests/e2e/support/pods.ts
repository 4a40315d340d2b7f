// Pods of the stories: clients inside the cluster, made by the rules of the namespace ("restricted"), and what became of them.
import { version } from '../frame/places.ts';
import { apply, get, type KubeObject, kubectl } from './kubectl.ts';
import { waitFor } from './wait-for.ts';

export interface Pod extends KubeObject {
  spec: { nodeName?: string; containers: { name: string; resources?: { limits?: Record<string, string> } }[] };
  status: {
    phase: string;
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { restartCount: number; state: Record<string, { exitCode?: number; reason?: string }> }[];
  };
}

export interface PodOptions {
  name: string;
  /** Default: the command line's image. */
  image?: string;
  /** Default: the image's own (`strata`). */
  command?: string[];
  args?: string[];
  labels?: Record<string, string>;
  env?: Record<string, string>;
}

/** The command line's image, as `make images` names it. */
const cliImage = `strata/cli:${version}`;

/** What "restricted" asks for. */
const securityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: 1000,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Starts a pod; one of that name is deleted before. */
export async function startPod({ name, image = cliImage, command, args, labels, env = {} }: PodOptions): Promise<void> {
  await kubectl(['delete', 'pod', name, '--ignore-not-found', '--grace-period=0', '--force', '--wait=true']);
  const container = {
    name: 'main',
    image,
    imagePullPolicy: 'IfNotPresent',
    ...(command && { command }),
    ...(args && { args }),
    env: Object.entries({ STRATA_HOME: '/tmp/strata', ...env }).map(([key, value]) => ({ name: key, value })),
    securityContext,
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { 'strata.dev/story': name, ...labels } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      containers: [container],
      volumes: [{ name: 'tmp', emptyDir: {} }],
    },
  });
}

const isOver = (pod?: Pod): boolean => pod?.status.phase === 'Succeeded' || pod?.status.phase === 'Failed';

/** Waits for its end: how it ended, and what it said. The pod is deleted. */
export async function finishPod(name: string, timeoutMs = 60_000): Promise<{ succeeded: boolean; output: string }> {
  const pod = await waitFor(`the end of pod ${name}`, () => get<Pod>('pod', name), isOver, { timeoutMs });
  const output = await kubectl(['logs', name]);
  await kubectl(['delete', 'pod', name, '--wait=false']);
  return { succeeded: pod?.status.phase === 'Succeeded', output };
}

/** Runs a pod to its end: what it said. Throws where it fails. */
export async function runPod(options: PodOptions, timeoutMs?: number): Promise<string> {
  await startPod(options);
  const { succeeded, output } = await finishPod(options.name, timeoutMs);
  if (!succeeded) throw new Error(`pod ${options.name} failed:\n${output}`);
  return output;
}

/** Runs a module (TypeScript, with our imports) inside a running service, with its rights and its configuration: what it printed, as JSON. */
export async function evaluateIn<T>(service: string, source: string): Promise<T> {
  const node = ['node', '--input-type=module-typescript', '-'];
  const text = await kubectl(['exec', '-i', `deploy/strata-${service}`, '--', ...node], { input: source });
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as T;
}

/** SIGKILL, as an out-of-memory killer or a node that is switched off would: no warning, no grace. */
export const killPod = (name: string): Promise<string> =>
  kubectl(['delete', 'pod', name, '--grace-period=0', '--force', '--wait=false']);
