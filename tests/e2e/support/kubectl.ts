// kubectl and helm as functions, on the kind cluster and on no other: a kubeconfig of our own, its context by name, an API server on this machine.
import { readFileSync } from 'node:fs';
import { type ExecOptions, exec } from '../frame/exec.ts';
import { checkKubeconfig } from '../frame/guard.ts';
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

let guarded = false;

/** Looks once: the file is our own. */
function guard(): void {
  if (!guarded) checkKubeconfig(readFileSync(cluster.kubeconfig, 'utf8'));
  guarded = true;
}

/** `kubectl <args>` in the namespace of the release, unless `args` name another. */
export function kubectl(args: readonly string[], options: ExecOptions = {}): Promise<string> {
  guard();
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--context=${cluster.context}`];
  const namespaced = args.some((arg) => /^(-n|--namespace|-A|--all-namespaces)/.test(arg));
  return exec('kubectl', [...where, ...(namespaced ? [] : [`--namespace=${release.namespace}`]), ...args], options);
}

export function helm(args: readonly string[], options: ExecOptions = {}): Promise<string> {
  guard();
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
