// Brings the cluster's services to ports of this machine: `node forward.ts KUBECONFIG NAMESPACE name=service:port …` prints one JSON line,
// { name: "127.0.0.1:port" }, and serves until its stdin closes. Every connection goes to a ready pod of that moment, so that a client
// which connects anew after a pod's death finds the next one (kubectl port-forward stays with one pod and ends with it).
import { createServer, type Server, type Socket } from 'node:net';
import { CoreV1Api, KubeConfig, PortForward } from '@kubernetes/client-node';

interface Target {
  name: string;
  service: string;
  port: number;
}

const [kubeconfig = '', namespace = '', ...specs] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const forward = new PortForward(config);

const targets = specs.map((spec): Target => {
  const [, name = '', service = '', port = ''] = /^(.+)=(.+):(\d+)$/.exec(spec) ?? [];
  return { name, service, port: Number(port) };
});

/** A ready pod behind the service, drawn anew for each connection. */
async function podOf({ service, port }: Target): Promise<{ pod: string; port: number }> {
  const { spec } = await core.readNamespacedService({ name: service, namespace });
  const labelSelector = Object.entries(spec?.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const { items } = await core.listNamespacedPod({ namespace, labelSelector });
  const ready = items.filter(
    ({ metadata, status }) =>
      !metadata?.deletionTimestamp &&
      status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True'),
  );
  const pod = ready[Math.floor(Math.random() * ready.length)]?.metadata?.name;
  if (!pod) throw new Error(`no ready pod behind ${service}`);
  return { pod, port };
}

/** The socket is paused until the way is open; either end takes the other with it. */
async function serve(target: Target, socket: Socket): Promise<void> {
  socket.on('error', () => {});
  try {
    const { pod, port } = await podOf(target);
    const opened = await forward.portForward(namespace, pod, [port], socket, null, socket);
    const webSocket = typeof opened === 'function' ? opened() : opened;
    if (!webSocket) throw new Error(`no connection to ${pod}`);
    webSocket.onclose = () => socket.destroy();
    webSocket.onerror = () => socket.destroy();
    socket.once('close', () => webSocket.close());
    socket.resume();
  } catch (error) {
    console.error(`${target.name}: ${error}`);
    socket.destroy();
  }
}

const listen = (target: Target): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true }, (socket) => void serve(target, socket));
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
  });

const addresses: Record<string, string> = {};
for (const target of targets) {
  const address = (await listen(target)).address();
  if (address === null || typeof address === 'string') throw new Error(`${target.name}: no port`);
  addresses[target.name] = `127.0.0.1:${address.port}`;
}
console.log(JSON.stringify(addresses));
process.stdin.resume().once('end', () => process.exit(0));
