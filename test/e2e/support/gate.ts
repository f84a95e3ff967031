import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way of its own to a server that others use too; shut, it refuses connections as the port of a stopped server does. */
export class Gate {
  readonly #serverPort: number;
  readonly #sockets = new Set<Socket>();
  #listener: Server | undefined;
  #port = 0;

  private constructor(serverPort: number) {
    this.#serverPort = serverPort;
  }

  /** Opened until it is shut, or until the test's end. */
  static async to(server: { readonly port: number }): Promise<Gate> {
    const gate = new Gate(server.port);
    await gate.open();
    onTestFinished(() => gate.shut());
    return gate;
  }

  /** `127.0.0.1:PORT`, the same for as long as the gate is. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    const listener = createServer((client) => this.#join(client)).listen(this.#port, '127.0.0.1');
    this.#listener = listener;
    await once(listener, 'listening');
    this.#port = (listener.address() as AddressInfo).port;
  }

  /** Ends every connection too. */
  async shut(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (listener !== undefined) await new Promise((resolve) => listener.close(resolve));
  }

  #join(client: Socket): void {
    const server = connect(this.#serverPort, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      // Whoever is cut off finds out by the end.
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
