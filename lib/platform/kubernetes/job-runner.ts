// JobRunner over batch/v1 Jobs. Everything is in the cluster, nothing in this process: whoever starts next sees the same jobs.
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, hasCode, notFound } from '../errors.ts';
import { checkJobName, checkJobSpec, hasEnded, type Job, type JobRunner } from '../job-runner.ts';
import type { Logger } from '../log.ts';
import type { Cluster } from './cluster.ts';
import type { JobTemplate, Profiles } from './job-files.ts';
import { collectTail, fromTail, type LogOptions, readLog, type StampedLine } from './job-log.ts';
import { toManifest } from './job-manifest.ts';
import { containerOf, podOf, toJob } from './job-status.ts';
import { type Mirror, startMirror } from './mirror.ts';
import { type JobObject, type KubeList, marks, type PodObject } from './objects.ts';

export interface KubernetesJobRunnerOptions {
  cluster: Cluster;
  namespace: string;
  /** What jobs look like, as it is now. */
  readFiles: () => Promise<{ template: JobTemplate; profiles: Profiles }>;
  defaultProfile: string;
  queue: string;
  log?: Logger | undefined;
}

/** A Job and its pod, as far as there is one. */
interface Found {
  object: JobObject;
  pod: PodObject | undefined;
}

const pauseMs = 200;
/** In a row, while a log is followed: about a minute and a half. */
const mostFailures = 30;

export function createJobRunner(options: KubernetesJobRunnerOptions): JobRunner {
  const { cluster, namespace, readFiles, defaultProfile, queue, log } = options;
  const jobsPath = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const podsPath = `/api/v1/namespaces/${namespace}/pods`;
  const jobPath = (name: string): string => `${jobsPath}/${checkJobName(name)}`;
  const podPath = ({ metadata }: PodObject): string => `${podsPath}/${metadata.name}`;
  let mirrors: { jobs: Mirror<JobObject>; pods: Mirror<PodObject> } | undefined;

  /** Begun by the first look. */
  const watch = async () => {
    const common = { cluster, labelSelector: marks.job, log };
    mirrors ??= {
      jobs: startMirror<JobObject>({ ...common, path: jobsPath }),
      pods: startMirror<PodObject>({ ...common, path: podsPath }),
    };
    await Promise.all([mirrors.jobs.opened, mirrors.pods.opened]);
    return mirrors;
  };

  /** What the watch knows; undefined where that is nothing. */
  const recall = async (name: string): Promise<Found | undefined> => {
    const { jobs, pods } = await watch();
    const object = jobs.isLive && pods.isLive ? jobs.get(name) : undefined;
    return object && { object, pod: podOf(object, [...pods.values()]) };
  };

  /** Asks the API server. */
  const look = async (name: string): Promise<Found | undefined> => {
    const object = await orAbsent(cluster.call<JobObject>({ path: jobPath(name) }));
    if (!object) return undefined;
    const query = { labelSelector: `${marks.jobUid}=${object.metadata.uid}` };
    const { items } = await cluster.call<KubeList<PodObject>>({ path: podsPath, query });
    return { object, pod: podOf(object, items) };
  };

  const get = async (name: string): Promise<Job | undefined> => {
    const found = (await recall(checkJobName(name))) ?? (await look(name));
    return found && toJob(found.object, found.pod);
  };

  const forget = async (name: string): Promise<void> => {
    const query = { propagationPolicy: 'Background' };
    await orAbsent(cluster.call({ method: 'DELETE', path: jobPath(name), query }));
    mirrors?.jobs.remove(name);
  };

  const untilEnded = async (name: string): Promise<void> => {
    for (let job = await get(name); job && !hasEnded(job); job = await get(name)) await delay(pauseMs);
  };

  /** Deleting the pod is what sends SIGTERM; its Job stays and says how it ended, and keeps the last lines. */
  const stopPod = async (name: string, pod: PodObject, graceMs: number | undefined): Promise<void> => {
    const tail = await collectTail(cluster, podPath(pod));
    const query = graceMs === undefined ? {} : { gracePeriodSeconds: String(Math.ceil(graceMs / 1000)) };
    await orAbsent(cluster.call({ method: 'DELETE', path: podPath(pod), query }));
    await untilEnded(name);
    const annotations = { [marks.log]: await tail.end() };
    await orAbsent(cluster.call({ method: 'PATCH', path: jobPath(name), body: { metadata: { annotations } } }));
  };

  async function* linesOf({ object, pod }: Found, options: LogOptions): AsyncGenerator<StampedLine> {
    const kept = object.metadata.annotations?.[marks.log];
    if (!pod || kept !== undefined) return yield* fromTail(kept, options.after);
    const state = containerOf(pod);
    if (state && !state.waiting) yield* readLog(cluster, podPath(pod), options);
  }

  return {
    get,
    async start(spec) {
      checkJobSpec(spec);
      const { template, profiles } = await readFiles();
      const manifest = toManifest(spec, { template, profiles, defaultProfile, queue, now: new Date() });
      try {
        const object = await cluster.call<JobObject>({ method: 'POST', path: jobsPath, body: manifest });
        mirrors?.jobs.put(object);
        return toJob(object, undefined);
      } catch (error) {
        if (!hasCode(error, 'ALREADY_EXISTS')) throw error;
        const found = await look(spec.name);
        if (!found) throw new AppError('ABORTED', `job "${spec.name}" was deleted just now`, { cause: error });
        return toJob(found.object, found.pod);
      }
    },
    async list(namePrefix = '') {
      const query = { labelSelector: marks.job };
      const [jobs, pods] = await Promise.all([
        cluster.call<KubeList<JobObject>>({ path: jobsPath, query }),
        cluster.call<KubeList<PodObject>>({ path: podsPath, query }),
      ]);
      return jobs.items
        .filter(({ metadata }) => metadata.name.startsWith(namePrefix))
        .map((object) => toJob(object, podOf(object, pods.items)))
        .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    },
    async cancel(name, { graceMs } = {}) {
      const found = await look(name);
      if (!found) throw notFound('job', name);
      const { object, pod } = found;
      if (hasEnded(toJob(object, pod))) return;
      // Nothing runs yet: there is nothing to save, and no end to tell of.
      if (!pod?.spec.nodeName) await forget(name);
      else if (containerOf(pod)?.terminated) await untilEnded(name);
      else await stopPod(name, pod, graceMs);
    },
    async *logs(name, { follow = false, signal } = {}) {
      for (let after = '', failures = 0; ; ) {
        try {
          const found = await look(name);
          if (!found) throw notFound('job', name);
          for await (const { time, line } of linesOf(found, { after, follow, signal })) {
            after = time;
            failures = 0;
            yield line;
          }
          if (!follow || signal?.aborted || hasEnded(toJob(found.object, found.pod))) return;
        } catch (error) {
          // A connection that broke: go on behind the last line.
          if (!follow || !hasCode(error, 'UNAVAILABLE') || ++failures > mostFailures) throw error;
        }
        await delay(pauseMs * (1 + failures), undefined, signal ? { signal } : {});
      }
    },
    async delete(name) {
      const found = await look(name);
      if (!found) return;
      if (!hasEnded(toJob(found.object, found.pod)))
        throw new AppError('FAILED_PRECONDITION', `job "${name}" still runs: cancel it first`);
      await forget(name);
    },
    async close() {
      await Promise.all([mirrors?.jobs.close(), mirrors?.pods.close()]);
    },
  };
}

/** What is not there is no error. */
const orAbsent = <T>(answer: Promise<T>): Promise<T | undefined> =>
  answer.catch((error) => {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
