import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { ServerProcess } from './server.ts';

type Fields = Record<string, unknown>;

/** Somebody between client and server, who reads and changes every answer. */
export interface Between {
  /** What a client is pointed at. */
  readonly server: string;
  /** The methods that clients called, in order. */
  readonly called: string[];
  /** The answers to one method as they came from the server, less the request's id. */
  answers(method: string): unknown[];
}

/**
 * Listens until the test's end, and hands lines on in both directions; `change` answers what a result becomes. Over TLS it
 * holds the server's own key: the worst that can stand between, against which only the login itself helps.
 */
export async function between(
  real: ServerProcess,
  change: (method: string, result: Fields) => Fields = (_method, result) => result,
  way: 'plain' | 'chat' = 'plain',
): Promise<Between> {
  const called: string[] = [];
  const answers: Array<{ method: string; answer: unknown }> = [];
  const sockets = new Set<Socket>();

  function keep(socket: Socket, other: Socket): void {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => other.destroy());
  }

  function onClient(client: Socket): void {
    const options = { host: '127.0.0.1', port: real.port };
    const server = way === 'plain' ? connect(options) : connectTls({ ...options, rejectUnauthorized: false });
    keep(client, server);
    keep(server, client);
    const methods = new Map<unknown, string>();
    createInterface({ input: client }).on('line', (line) => {
      const { id, method } = JSON.parse(line);
      if (method !== undefined) {
        called.push(method);
        methods.set(id, method);
      }
      server.write(`${line}\n`);
    });
    createInterface({ input: server }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line);
      const method = methods.get(id);
      if (method === undefined) {
        client.write(`${line}\n`);
        return;
      }
      answers.push({ method, answer: result ?? error });
      if (result === undefined) client.write(`${line}\n`);
      else client.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: change(method, result) })}\n`);
    });
  }

  const listener =
    way === 'plain'
      ? createServer(onClient)
      : createTlsServer(
          {
            key: readFileSync(join(real.data, 'serverkeys', 'server.key')),
            cert: readFileSync(join(real.data, 'serverkeys', 'server.crt')),
          },
          onClient,
        );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    server: `${way}://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    called,
    answers: (wanted) => answers.filter(({ method }) => method === wanted).map(({ answer }) => answer),
  };
}
