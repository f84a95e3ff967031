import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { until } from './until.ts';

const newline = 0x0a;

/** One end of a connection to a server under test; everything that came is kept. */
export class TestClient<S extends Socket = Socket> {
  readonly socket: S;
  #chunks: Buffer[] = [];
  #text: string | undefined;
  #lines = 0;
  /** How many bytes came. */
  receivedBytes = 0;
  hasEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: S) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#text = undefined;
      this.receivedBytes += chunk.length;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) this.#lines += 1;
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
  }

  get received(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    this.#text ??= this.received.toString();
    return this.#text;
  }

  /** Every whole line, parsed as JSON. */
  get frames(): unknown[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Sends one JSON-RPC call. */
  call(id: number | string, method: string, params: unknown = {}): void {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
  }

  async ended(): Promise<void> {
    await until(() => this.hasEnded || this.isClosed);
  }

  async lineCount(count: number): Promise<void> {
    await until(() => this.#lines >= count);
  }
}

/** Connects in clear text. */
export function connectClear(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<TestClient> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, ...options });
    socket.once('error', reject);
    const client = new TestClient(socket);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(client);
    });
  });
}

/** Connects and shakes hands; rejects with the error of a handshake that failed. */
export function connectSecure(port: number, options: ConnectionOptions = {}): Promise<TestClient<TLSSocket>> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.once('error', reject);
    const client = new TestClient(socket);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(client);
    });
  });
}
