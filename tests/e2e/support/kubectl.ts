// kubectl and helm as functions, on the kind cluster and on no other: a kubeconfig of our own, its context by name, an API server on this machine.
import { readFileSync } from 'node:fs';
import { type ExecOptions, exec } from '../frame/exec.ts';
import { cluster, release } from '../frame/places.ts';

/** What every object has, and whatever else was asked for. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp?: string;
    deletionTimestamp?: string;
  };
}

const loopback = /^https:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+$/;
let guarded = false;

/** Refuses to touch anything but the kind cluster of this machine. */
export function guardContext(read = () => readFileSync(cluster.kubeconfig, 'utf8')): void {
  if (guarded) return;
  const text = read();
  const servers = [...text.matchAll(/^\s*server:\s*(\S+)\s*$/gm)].map((match) => match[1] ?? '');
  const hasContext = new RegExp(`name: ${cluster.context}$`, 'm').test(text);
  if (!hasContext || servers.length !== 1 || !servers.every((server) => loopback.test(server))) {
    const found = servers.join(', ') || 'no server';
    throw new Error(
      `${cluster.kubeconfig} is not that of the kind cluster "${cluster.name}" on this machine (${found}): nothing was done`,
    );
  }
  guarded = true;
}

/** `kubectl <args>` in the namespace of the release, unless `args` name another. */
export function kubectl(args: readonly string[], options: ExecOptions = {}): Promise<string> {
  guardContext();
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--context=${cluster.context}`];
  const namespaced = args.some((arg) => /^(-n|--namespace|-A|--all-namespaces)/.test(arg));
  return exec('kubectl', [...where, ...(namespaced ? [] : [`--namespace=${release.namespace}`]), ...args], options);
}

export function helm(args: readonly string[], options: ExecOptions = {}): Promise<string> {
  guardContext();
  const where = [
    `--kubeconfig=${cluster.kubeconfig}`,
    `--kube-context=${cluster.context}`,
    `--namespace=${release.namespace}`,
  ];
  return exec('helm', [...args, ...where], options);
}

/** `kubectl get … -o json`; undefined where there is none of that name. */
export async function get<T extends KubeObject>(kind: string, name: string): Promise<T | undefined> {
  const text = await kubectl(['get', kind, name, '--ignore-not-found', '-o', 'json']);
  return text.trim() ? (JSON.parse(text) as T) : undefined;
}

/** By label selector; oldest first. */
export async function list<T extends KubeObject>(kind: string, selector = ''): Promise<T[]> {
  const args = ['get', kind, '-o', 'json', '--sort-by=.metadata.creationTimestamp', `--selector=${selector}`];
  return (JSON.parse(await kubectl(args)) as { items: T[] }).items;
}

/** `kubectl apply` of an object made here. */
export const apply = (object: object, args: readonly string[] = []): Promise<string> =>
  kubectl(['apply', '-f', '-', ...args], { input: JSON.stringify(object) });
