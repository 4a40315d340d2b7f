// The guard: what is done here is done to the kind cluster of this machine, or not at all.
import { cluster } from './places.ts';

const loopback = /^https:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+$/;

/** @throws where a kubeconfig is not that of our kind cluster alone, on this machine. `text` is the file's content. */
export function checkKubeconfig(text: string): void {
  const servers = [...text.matchAll(/^\s*server:\s*(\S+)\s*$/gm)].map((match) => match[1] ?? '');
  const contexts = [...text.matchAll(/^current-context:\s*(\S+)\s*$/gm)].map((match) => match[1]);
  const isOurs = contexts.length === 1 && contexts[0] === cluster.context;
  if (isOurs && servers.length === 1 && servers.every((server) => loopback.test(server))) return;
  const found = `context ${contexts.join() || 'none'}, server ${servers.join() || 'none'}`;
  throw new Error(`this is not the kind cluster "${cluster.name}" of this machine (${found}): nothing was done`);
}
