import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ServerProcess } from './server.ts';

/** What a call was answered: the JSON of a result, or of an error. */
export type Answer = { readonly result: unknown } | { readonly error: unknown };

/** What becomes of an answer: another one, or bytes in its place that are nobody's JSON-RPC. */
export type Bent = Answer | { readonly raw: string };

/** These hold only for the challenge of their own connection: they are always the real server's. */
const live: ReadonlySet<string> = new Set(['login.begin', 'login.finish']);

/** A server that has learned from a real one what to answer, and answers what a test wants instead; nothing reaches the real one then. */
export class HostileServer {
  readonly #real: ServerProcess;
  readonly #sockets = new Set<Socket>();
  readonly #listener = createServer((client) => this.#onClient(client));
  /** The answers that were learned since {@link learn}, by call. */
  #learned = new Map<string, Answer>();
  #bend: ((method: string, answer: Answer) => Bent) | undefined;
  /** All that clients have said, since {@link learn} or {@link lie}. */
  heard = '';

  private constructor(real: ServerProcess) {
    this.#real = real;
  }

  static async over(real: ServerProcess): Promise<HostileServer> {
    const server = new HostileServer(real);
    server.#listener.listen(0, '127.0.0.1');
    await once(server.#listener, 'listening');
    return server;
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** From now on answers come from the real server and are kept, in what this answers. */
  learn(): Map<string, Answer> {
    this.#bend = undefined;
    this.heard = '';
    this.#learned = new Map();
    return this.#learned;
  }

  /** From now on calls are answered with what was learned, bent. */
  lie(learned: Map<string, Answer>, bend: (method: string, answer: Answer) => Bent): void {
    this.#bend = bend;
    this.heard = '';
    this.#learned = learned;
  }

  async close(): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #onClient(client: Socket): void {
    const server = connect(this.#real.port, '127.0.0.1');
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    const calls = new Map<unknown, { readonly method: string; readonly key: string }>();
    linesOf(client, (line) => {
      this.heard += `${line}\n`;
      const { id, method, params } = JSON.parse(line);
      const key = `${method} ${params?.user ?? ''} ${params?.seq ?? ''}`;
      const known = this.#learned.get(key);
      if (this.#bend && known && !live.has(method)) {
        this.#answer(client, id, this.#bend(method, known));
        return;
      }
      calls.set(id, { method, key });
      server.write(`${line}\n`);
    });
    linesOf(server, (line) => {
      const { id, result, error } = JSON.parse(line);
      const call = calls.get(id);
      if (!call) {
        client.write(`${line}\n`);
        return;
      }
      const answer = result === undefined ? { error } : { result };
      if (!this.#bend) this.#learned.set(call.key, answer);
      this.#answer(client, id, this.#bend ? this.#bend(call.method, answer) : answer);
    });
  }

  #answer(client: Socket, id: unknown, bent: Bent): void {
    const line = 'raw' in bent ? bent.raw : JSON.stringify({ jsonrpc: '2.0', id, ...bent });
    client.write(`${line.replace('"ID"', JSON.stringify(id))}\n`);
  }
}

function linesOf(socket: Socket, on: (line: string) => void): void {
  // It hands on what breaks the socket.
  createInterface({ input: socket })
    .on('line', on)
    .on('error', () => {});
}
