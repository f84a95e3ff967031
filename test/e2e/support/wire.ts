import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { onTestFinished } from 'vitest';

/** A bare connection to a server: what is written is what is sent. */
export class Wire {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** Connects, over TLS if asked; closed after the test. */
  static async open(port: number, way: 'tcp' | 'tls' = 'tcp'): Promise<Wire> {
    const options = { host: '127.0.0.1', port, noDelay: true };
    const socket = way === 'tcp' ? connect(options) : connectTls({ ...options, rejectUnauthorized: false });
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once(way === 'tcp' ? 'connect' : 'secureConnect', () => resolve());
    });
    // From here on a reset shows as the end of the lines.
    socket.on('error', () => {});
    return new Wire(socket);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next line, without its end; undefined when the server has closed. */
  async line(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done ? undefined : next.value;
  }

  /** All lines until the server closes. */
  async rest(): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) lines.push(line);
    return lines;
  }

  /** Sends one call and answers the line that came next. */
  async call(method: string, params: object = {}): Promise<unknown> {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);
    return JSON.parse((await this.line()) ?? 'null');
  }
}
