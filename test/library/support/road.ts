import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The road to a server, on which nothing moves once it is blocked: as if the server hung. */
export class Road {
  readonly #sockets = new Set<Socket>();
  #isBlocked = false;
  readonly #server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: this.#port });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('data', (bytes) => this.#isBlocked || other.write(bytes));
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  readonly #port: number;

  /** To a server of this machine, `127.0.0.1:PORT`. */
  constructor(address: string) {
    this.#port = Number(address.split(':')[1]);
  }

  /** Where it begins: the address to connect to. */
  async open(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  block(): void {
    this.#isBlocked = true;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
