// Jobs on a real cluster keep to the contract that child processes keep to on one machine; and what only a cluster does to them is told.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import { useHarness } from '#lib/platform/contract/harness.ts';
import { describeJobRunner, firstLine, jobEntry } from '#lib/platform/contract/job-runner.ts';
import { type Job, type JobRunner, type JobSpec, waitForJob } from '#lib/platform/job-runner.ts';
import { openCluster } from '#lib/platform/kubernetes/cluster.ts';
import { passOn, startFaultyNetwork } from '#lib/platform/s3/faulty-network.fixture.ts';
import { cluster } from '../frame/places.ts';
import { apply, kubectl } from '../support/kubectl.ts';
import { waitFor } from '../support/wait-for.ts';
import { createClusterHarness, createRunner, type JobsHarness } from './harness.ts';

jest.setTimeout(120_000);

describeJobRunner('Kubernetes', createClusterHarness);

let harness: JobsHarness;
const { open } = useHarness(async () => {
  harness = await createClusterHarness();
  return harness;
});
const job = (name: string, ...args: string[]): JobSpec => ({ name, entry: jobEntry, args });
const inNamespace = (...args: string[]): Promise<string> => kubectl([...args, '-n', harness.namespace]);
const podOf = async (name: string): Promise<string> =>
  (await inNamespace('get', 'pods', '-l', `strata.dev/job=${name}`, '-o', 'name')).trim().replace('pod/', '');
const untilWaiting = (jobs: JobRunner, name: string, reason: RegExp): Promise<Job | undefined> =>
  waitFor(
    `a reason like ${reason}`,
    () => jobs.get(name),
    (found) => reason.test(found?.reason ?? ''),
  );

test('a job goes on without the runner that started it; the next one follows it and knows its end', async () => {
  const first = (await open()).jobs;
  await first.start(job('orphan', 'checkpoint'));
  await firstLine(first, 'orphan');
  await first.close();
  const { jobs } = await open();
  expect(await jobs.get('orphan')).toMatchObject({ phase: 'running' });
  await jobs.cancel('orphan');
  expect(await jobs.get('orphan')).toMatchObject({ phase: 'succeeded', exitCode: 0 });
});

test('a job that cannot begin says why; cancelled, it is forgotten or has failed', async () => {
  const { jobs } = await open();
  await jobs.start({ ...job('nowhere', 'say'), profile: 'impossible' });
  await jobs.start({ ...job('imageless', 'say'), profile: 'imageless' });
  await untilWaiting(jobs, 'nowhere', /^cannot be scheduled: 0\/2 nodes are available/);
  await untilWaiting(jobs, 'imageless', /^(ErrImagePull|ImagePullBackOff): .*is-not-there/);
  await Promise.all(['nowhere', 'imageless'].map((name) => jobs.cancel(name, { graceMs: 1000 })));
  expect(await jobs.get('nowhere')).toBeUndefined();
  expect(await jobs.get('imageless')).toMatchObject({ phase: 'failed' });
  await expect(jobs.start({ ...job('a', 'say'), profile: 'tpu' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('there are: cpu, impossible, imageless'),
  });
});

test('a job whose pod is evicted is interrupted; one whose pod somebody deletes keeps its exit code', async () => {
  const { jobs } = await open();
  for (const name of ['evicted', 'deleted']) {
    await jobs.start(job(name, name === 'evicted' ? 'stubborn' : 'interruptible'));
    await firstLine(jobs, name);
  }
  const pod = await podOf('evicted');
  const { namespace, cluster: api } = harness;
  await api.call({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`,
    body: {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: pod },
      deleteOptions: { gracePeriodSeconds: 1 },
    },
  });
  await inNamespace('delete', 'pod', await podOf('deleted'), '--wait=false');
  expect(await waitForJob(jobs, 'evicted')).toMatchObject({
    phase: 'failed',
    interrupted: true,
    reason: expect.stringMatching(/^interrupted: /),
  });
  expect(await waitForJob(jobs, 'deleted')).toMatchObject({ phase: 'failed', exitCode: 75, reason: 'exit code 75' });
});

test('with a queue a job waits until it is admitted', async () => {
  await open();
  const jobs = createRunner(harness, { queue: 'team' });
  await jobs.start(job('queued', 'say', 'at last'));
  await untilWaiting(jobs, 'queued', /^waits in the queue "team"$/);
  await inNamespace('patch', 'job', 'queued', '--type=merge', '-p', '{"spec":{"suspend":false}}');
  expect(await waitForJob(jobs, 'queued')).toMatchObject({ phase: 'succeeded' });
  await jobs.close();
});

test('looking costs the API server nothing: a thousand looks are answered by the watch', async () => {
  const { jobs } = await open();
  await jobs.start(job('watched', 'checkpoint'));
  await firstLine(jobs, 'watched');
  let calls = 0;
  const counting: JobsHarness = {
    ...harness,
    cluster: {
      ...harness.cluster,
      call: (call) => {
        calls += 1;
        return harness.cluster.call(call);
      },
    },
  };
  const watching = createRunner(counting);
  for (let i = 0; i < 1000; i++) expect(await watching.get('watched')).toMatchObject({ phase: 'running' });
  // A list of Jobs and one of pods, from which the watches go on.
  expect(calls).toBe(2);
  await jobs.cancel('watched');
  await waitFor(
    'its end',
    () => watching.get('watched'),
    (found) => found?.phase === 'succeeded',
  );
  expect(calls).toBe(2);
  await watching.close();
});

const serverOf = (kubeconfig: string): string =>
  (JSON.parse(kubeconfig) as { clusters: { cluster: { server: string } }[] }).clusters[0]?.cluster.server ?? '';
const cut = () => undefined;
const rule = (apiGroups: string[], resources: string[], ...verbs: string[]) => ({ apiGroups, resources, verbs });

test('the Role of the chart is enough; without one the error names what is missing', async () => {
  await open();
  const { namespace, cluster: api } = harness;
  const account = { kind: 'ServiceAccount', name: 'trainer', namespace };
  await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'trainer' } }, ['-n', namespace]);
  const { clusters } = JSON.parse(await kubectl(['config', 'view', '--raw', '-o', 'json'])) as { clusters: object[] };
  const token = (await inNamespace('create', 'token', 'trainer')).trim();
  const path = join(JSON.parse(harness.config).STRATA_HOME, 'kubeconfig');
  const context = { name: 'here', context: { cluster: cluster.context, user: 'trainer', namespace } };
  const users = [{ name: 'trainer', user: { token } }];
  await writeFile(path, JSON.stringify({ clusters, users, contexts: [context], 'current-context': 'here' }));
  const jobs = createRunner({ ...harness, cluster: openCluster({ kubeconfig: path }) });

  await expect(jobs.start(job('mine', 'checkpoint'))).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
    message: expect.stringMatching(/cannot create resource "jobs" in API group "batch"/),
  });
  const rules = [
    rule(['batch'], ['jobs'], 'create', 'get', 'list', 'watch', 'patch', 'delete'),
    rule([''], ['pods'], 'get', 'list', 'watch', 'delete'),
    rule([''], ['pods/log'], 'get'),
  ];
  const of = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'jobs', namespace } };
  await api.call({
    method: 'POST',
    path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
    body: { ...of, kind: 'Role', rules },
  });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'jobs' };
  await apply({ ...of, kind: 'RoleBinding', roleRef, subjects: [account] }, ['-n', namespace]);
  await waitFor('the permission', () => jobs.start(job('mine', 'checkpoint')).catch(() => undefined), Boolean);
  expect(await firstLine(jobs, 'mine')).toMatch(/^running/);
  await jobs.cancel('mine');
  expect(await jobs.list('m')).toMatchObject([{ name: 'mine', phase: 'succeeded' }]);
  await jobs.delete('mine');
  await jobs.close();
});

test('connections that break lose no line and no change', async () => {
  await open();
  const network = await startFaultyNetwork(serverOf(await kubectl(['config', 'view', '--raw', '-o', 'json'])));
  const path = join(JSON.parse(harness.config).STRATA_HOME, 'faulty');
  const text = await kubectl(['config', 'view', '--raw', '--minify', '-o', 'json']);
  await writeFile(path, text.replace(serverOf(text), network.address.replace('http:', 'https:')));
  const jobs = createRunner({ ...harness, cluster: openCluster({ kubeconfig: path }) });
  await jobs.start(job('counting', 'count', '200'));
  const lines: string[] = [];
  for await (const line of jobs.logs('counting', { follow: true })) {
    lines.push(line);
    if (lines.length !== 20 && lines.length !== 60) continue;
    expect(await jobs.get('counting')).toMatchObject({ phase: 'running' });
    network.onAnswer = cut;
    // Something that both the watch and the log would tell of.
    await inNamespace('label', 'job', 'counting', `cut-${lines.length}=yes`);
    await waitFor(
      'a look that fails',
      () => jobs.get('counting').catch(({ code }) => code),
      (seen) => seen === 'UNAVAILABLE',
    );
    network.onAnswer = passOn;
  }
  expect(lines).toEqual(Array.from({ length: 200 }, (_, i) => String(i + 1)));
  expect(await waitForJob(jobs, 'counting')).toMatchObject({ phase: 'succeeded' });
  await jobs.close();
  await network.close();
});

test('an API server that is away is UNAVAILABLE, and looked for again', async () => {
  await open();
  const path = join(JSON.parse(harness.config).STRATA_HOME, 'nowhere');
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }];
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u' } }];
  await writeFile(path, JSON.stringify({ clusters, users: [{ name: 'u' }], contexts, 'current-context': 'x' }));
  const jobs = createRunner({ ...harness, cluster: openCluster({ kubeconfig: path }) });
  for (const attempt of [() => jobs.get('a'), () => jobs.start(job('a', 'say'))]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /127\.0\.0\.1:1 cannot be reached/ });
    await delay(10);
  }
  await jobs.close();
});
