// A job as Kubernetes gets it: the chart's template, the profile's resources, and what makes it this job. Pure.
import { invalidArgument } from '../errors.ts';
import type { JobSpec } from '../job-runner.ts';
import type { JobTemplate, Profile, Profiles } from './job-files.ts';
import { type Container, type JobObject, marks, type PodSpec } from './objects.ts';

export interface ManifestOptions {
  template: JobTemplate;
  profiles: Profiles;
  /** Of a job that names none. */
  defaultProfile: string;
  /** A Kueue LocalQueue, or nothing. */
  queue: string;
  now: Date;
}

export interface ChosenProfile extends Profile {
  name: string;
}

/**
 * The profile of that name. `cpu` and `cuda` are devices too: where no profile has that name, the first one of that device.
 * @throws {AppError} INVALID_ARGUMENT with the names there are
 */
export function chooseProfile(
  wanted: string | undefined,
  { profiles, defaultProfile }: Pick<ManifestOptions, 'profiles' | 'defaultProfile'>,
): ChosenProfile {
  const asked = wanted || defaultProfile;
  const name = asked in profiles ? asked : Object.keys(profiles).find((each) => profiles[each]?.device === asked);
  const profile = name === undefined ? undefined : profiles[name];
  if (name !== undefined && profile) return { ...profile, name };
  const known = Object.keys(profiles).join(', ') || 'none at all';
  throw invalidArgument('profile', `there is no resource profile "${asked}"; there are: ${known}`);
}

export function toManifest(spec: JobSpec, options: ManifestOptions): JobObject {
  const { template, queue, now } = options;
  const profile = chooseProfile(spec.profile, options);
  const pod = template.spec.template;
  const ours = labelsOf(spec, profile.name);
  return {
    ...template,
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...template.metadata,
      name: spec.name,
      labels: { ...template.metadata?.labels, ...ours, ...(queue && { [marks.queue]: queue }) },
      annotations: {
        ...template.metadata?.annotations,
        // Kubernetes' own time has no fractions of a second.
        [marks.createdAt]: now.toISOString(),
        [marks.entry]: [spec.entry, ...(spec.args ?? [])].join(' '),
      },
    },
    spec: {
      ttlSecondsAfterFinished: 24 * 60 * 60,
      ...template.spec,
      ...onePodOnce(pod.spec.containers[0].name),
      ...(queue && { suspend: true }),
      template: {
        ...pod,
        metadata: { ...pod.metadata, labels: { ...pod.metadata?.labels, ...ours } },
        spec: podSpecOf(pod.spec, spec, profile),
      },
    },
  };
}

const labelsOf = ({ name, labels = {} }: JobSpec, profile: string): Record<string, string> => ({
  [marks.managedBy]: 'strata',
  [marks.job]: name,
  [marks.profile]: profile,
  ...Object.fromEntries(Object.entries(labels).map(([thing, id]) => [marks.of(thing), id])),
});

/**
 * A job has one pod, once: whether to try again is decided by who asked for it, who knows about checkpoints. The rules change nothing about that;
 * they make the Job itself say how its pod ended (its exit code, or that the cluster took it away), which stays when the pod is gone.
 */
const onePodOnce = (container: string) => ({
  backoffLimit: 0,
  parallelism: 1,
  completions: 1,
  podReplacementPolicy: 'Failed',
  podFailurePolicy: {
    rules: [
      { action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob', onExitCodes: { containerName: container, operator: 'NotIn', values: [0] } },
    ],
  },
});

function podSpecOf(template: PodSpec, spec: JobSpec, profile: ChosenProfile): PodSpec {
  const { affinity, runtimeClassName, priorityClassName, schedulerName } = profile;
  const replaced = { affinity, runtimeClassName, priorityClassName, schedulerName };
  const [container, ...others] = template.containers;
  return {
    ...template,
    ...Object.fromEntries(Object.entries(replaced).filter(([, value]) => value !== undefined)),
    restartPolicy: 'Never',
    nodeSelector: { ...template.nodeSelector, ...profile.nodeSelector },
    tolerations: [...(template.tolerations ?? []), ...profile.tolerations],
    containers: [containerOf(container, spec, profile), ...others],
  };
}

function containerOf(template: Container, { entry, args = [], env = {} }: JobSpec, profile: ChosenProfile): Container {
  const added = { STRATA_DEVICE: profile.device, ...profile.env, ...env };
  const kept = (template.env ?? []).filter(({ name }) => !(name in added));
  return {
    ...template,
    ...(profile.image && { image: profile.image }),
    args: [entry, ...args],
    env: [...kept, ...Object.entries(added).map(([name, value]) => ({ name, value }))],
    // Not merged: a template that asks for a GPU must not do so for every profile.
    ...(profile.resources && { resources: profile.resources }),
  };
}
