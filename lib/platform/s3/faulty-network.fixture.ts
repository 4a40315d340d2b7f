// A network between a test and its server that can be made to fail: connections are cut, answers are lost, bytes are damaged.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface FaultyNetwork {
  readonly address: string;
  /** How many connections there have been. */
  connections(): number;
  /** What to do with what the client sends and with what the server answers; a rule may cut the connection. */
  onRequest: Rule;
  onAnswer: Rule;
  close(): Promise<void>;
}

/** Gives the bytes to pass on, or undefined to cut the connection. `passed`: how many bytes went this way on this connection. */
export type Rule = (bytes: Buffer, passed: number) => Buffer | undefined;

export const passOn: Rule = (bytes) => bytes;

export async function startFaultyNetwork(target: string): Promise<FaultyNetwork> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const upstream = connect(Number(port), hostname);
    forward(client, upstream, (...args) => proxy.onRequest(...args));
    forward(upstream, client, (...args) => proxy.onAnswer(...args));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          client.destroy();
          upstream.destroy();
          sockets.delete(socket);
        });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (!bound || typeof bound === 'string') throw new Error('no port');
  const proxy: FaultyNetwork = {
    address: `http://127.0.0.1:${bound.port}`,
    connections: () => connections,
    onRequest: passOn,
    onAnswer: passOn,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

function forward(from: Socket, to: Socket, rule: Rule): void {
  let passed = 0;
  from.on('data', (bytes) => {
    const result = rule(bytes, passed);
    passed += bytes.length;
    if (!result) {
      from.destroy();
      to.destroy();
    } else if (!to.write(result)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
}
