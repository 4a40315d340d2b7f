// How a job stands, from what Kubernetes says of its Job and its pod. Pure.
import { constants } from 'node:os';
import type { Job } from '../job-runner.ts';
import {
  type Condition,
  type ContainerStatus,
  isTrue,
  type JobObject,
  marks,
  type PodObject,
  type Terminated,
} from './objects.ts';

/** The job's pod: the newest one, where Kueue has let it begin anew. */
export const podOf = (job: JobObject, pods: PodObject[]): PodObject | undefined =>
  pods
    .filter((pod) => pod.metadata.labels?.[marks.jobUid] === job.metadata.uid)
    .sort((a, b) => (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''))[0];

/** Of the container that is the job: the first one of the pod. */
export const containerOf = ({ spec, status }: PodObject): ContainerStatus['state'] =>
  status?.containerStatuses?.find(({ name }) => name === spec.containers[0].name)?.state;

/** The Job has the last word on the end; the pod, where it is still there, knows more about why. */
export function toJob(object: JobObject, pod: PodObject | undefined): Job {
  const { name, annotations = {}, creationTimestamp = '' } = object.metadata;
  const conditions = object.status?.conditions;
  const state = pod && containerOf(pod);
  const startedAt = state?.running?.startedAt ?? state?.terminated?.startedAt ?? object.status?.startTime;
  const job = { name, createdAt: annotations[marks.createdAt] ?? creationTimestamp };
  const times = { ...job, ...(startedAt && { startedAt }) };

  const complete = isTrue(conditions, 'Complete');
  if (complete) return { ...times, phase: 'succeeded', exitCode: 0, ...endedAt(object, complete) };
  const failed = isTrue(conditions, 'Failed');
  if (failed) return { ...times, phase: 'failed', ...describeFailure(failed, pod), ...endedAt(object, failed) };
  if (object.metadata.deletionTimestamp) return { ...times, phase: 'running', reason: 'is being deleted' };
  if (state?.running || state?.terminated) return { ...times, phase: 'running' };
  const reason = whyPending(object, pod);
  return { ...job, phase: 'pending', ...(reason && { reason }) };
}

const endedAt = ({ status }: JobObject, { lastTransitionTime }: Condition): Pick<Job, 'endedAt'> => {
  const time = status?.completionTime ?? lastTransitionTime;
  return time ? { endedAt: time } : {};
};

type Failure = Pick<Job, 'exitCode' | 'reason' | 'interrupted'>;

function describeFailure(failed: Condition, pod: PodObject | undefined): Failure {
  const terminated = pod && containerOf(pod)?.terminated;
  const exitCode = terminated?.exitCode ?? exitCodeIn(failed.message);
  const taken = (pod && isTrue(pod.status?.conditions, 'DisruptionTarget')) ?? disruptionIn(failed);
  if (taken) {
    const reason = `interrupted: ${taken.message || taken.reason}`;
    return { interrupted: true, reason, ...(exitCode !== undefined && !signalOf(exitCode) && { exitCode }) };
  }
  if (exitCode === undefined) return { reason: pod?.status?.message || `${failed.reason}: ${failed.message}` };
  if (terminated?.reason === 'OOMKilled') return { reason: `killed: out of memory${limitOf(pod)}` };
  const signal = signalOf(exitCode);
  if (signal) return { reason: `killed by ${signal}` };
  return { exitCode, reason: `exit code ${exitCode}${detailOf(terminated)}` };
}

/** `… failed with exit code 7 matching FailJob rule at index 1`: what our podFailurePolicy makes the Job remember. */
function exitCodeIn(message = ''): number | undefined {
  const code = /failed with exit code (\d+)/.exec(message)?.[1];
  return code === undefined ? undefined : Number(code);
}

const disruptionIn = (failed: Condition): Condition | undefined =>
  failed.message?.includes('DisruptionTarget') ? failed : undefined;

/** Runtimes report a signal as 128 and its number. */
const signalOf = (exitCode: number): string | undefined =>
  Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];

const limitOf = (pod: PodObject | undefined): string => {
  const memory = pod?.spec.containers[0].resources?.limits?.memory;
  return memory === undefined ? '' : ` (its limit is ${memory})`;
};

/** What the runtime adds where the program did not even start. */
const detailOf = (terminated: Terminated | undefined): string =>
  terminated?.message && terminated.reason !== 'Error' ? `: ${terminated.reason}: ${terminated.message}` : '';

/** While an image is pulled or a volume mounted nothing is wrong; everything else that holds a pod up is worth a word. */
function whyPending({ metadata, spec }: JobObject, pod: PodObject | undefined): string | undefined {
  const queue = metadata.labels?.[marks.queue];
  if (spec.suspend) return queue ? `waits in the queue "${queue}"` : 'is suspended';
  if (!pod) return `has no pod yet (kubectl describe job ${metadata.name})`;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return `cannot be scheduled: ${scheduled.message || scheduled.reason}`;
  const { reason = '', message } = containerOf(pod)?.waiting ?? {};
  if (!reason || reason === 'ContainerCreating' || reason === 'PodInitializing') return undefined;
  return message ? `${reason}: ${message}` : reason;
}
