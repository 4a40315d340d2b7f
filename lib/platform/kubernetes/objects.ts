// What we read and write of Kubernetes' objects, as JSON has them. Fields that nobody here looks at pass through untouched.

export interface ObjectMeta {
  name: string;
  uid?: string;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface KubeObject {
  metadata: ObjectMeta;
}

export interface KubeList<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

type Quantities = Record<string, string | number>;

export interface Container {
  name: string;
  image?: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  resources?: { requests?: Quantities | undefined; limits?: Quantities | undefined };
}

export interface PodSpec {
  containers: [Container, ...Container[]];
  nodeSelector?: Record<string, string>;
  tolerations?: unknown[];
  restartPolicy?: string;
  [field: string]: unknown;
}

export interface JobObject extends KubeObject {
  apiVersion?: string;
  kind?: string;
  spec: {
    suspend?: boolean;
    template: { metadata?: Partial<ObjectMeta>; spec: PodSpec };
    [field: string]: unknown;
  };
  status?: { startTime?: string; completionTime?: string; conditions?: Condition[] };
}

export interface Terminated {
  exitCode: number;
  reason?: string;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
}

export interface ContainerStatus {
  name: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: Terminated;
  };
}

export interface PodObject extends KubeObject {
  spec: PodSpec & { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
  };
}

/** Labels and annotations of ours, and the ones that Kubernetes and Kueue give a meaning to. */
export const marks = {
  job: 'strata.dev/job',
  profile: 'strata.dev/profile',
  /** `strata.dev/run`, `strata.dev/evaluation`: what the job belongs to. */
  of: (thing: string): string => `strata.dev/${thing}`,
  createdAt: 'strata.dev/created-at',
  entry: 'strata.dev/entry',
  /** The last lines of a cancelled job, whose pod is gone with its log. */
  log: 'strata.dev/log',
  managedBy: 'app.kubernetes.io/managed-by',
  instance: 'app.kubernetes.io/instance',
  jobUid: 'batch.kubernetes.io/controller-uid',
  queue: 'kueue.x-k8s.io/queue-name',
} as const;

export const isTrue = (conditions: Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type && condition.status === 'True');
