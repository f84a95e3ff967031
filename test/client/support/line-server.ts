import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { ServerAddress } from '../../../src/client/address.ts';
import type { ErrorCode } from '../../../src/core/errors.ts';

/** A call as it arrived. */
export interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What goes with an error code on the wire. */
export interface FailureData {
  readonly code: ErrorCode;
  readonly message?: string;
  readonly field?: string;
  readonly retry_after_ms?: number;
  readonly error_id?: string;
}

/** Hands items out one by one, to whoever waits or comes. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: Array<(item: T) => void> = [];

  push(item: T): void {
    const next = this.#waiting.shift();
    if (next) next(item);
    else this.#items.push(item);
  }

  next(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get size(): number {
    return this.#items.length;
  }
}

/** One connection as a scripted server sees it. */
export class Peer {
  readonly socket: Socket;
  /** Everything that arrived, as text. */
  received = '';
  readonly closed: Promise<void>;
  readonly #requests = new Queue<Request>();
  readonly #answers = new Queue<Record<string, unknown>>();
  #rest = '';

  constructor(socket: Socket, onRequest?: (request: Request, peer: Peer) => void) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: string) => {
      this.received += chunk;
      const lines = (this.#rest + chunk).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        // A server that has cut the connection does not serve what was still on its way.
        if (socket.destroyed) return;
        const frame = JSON.parse(line);
        if (frame.method === undefined) this.#answers.push(frame);
        else if (onRequest) onRequest(frame, this);
        else this.#requests.push(frame);
      }
    });
  }

  /** The next call. */
  next(): Promise<Request> {
    return this.#requests.next();
  }

  /** The next answer to a request of the server's. */
  nextAnswer(): Promise<Record<string, unknown>> {
    return this.#answers.next();
  }

  /** Calls that arrived and were not asked for. */
  get unread(): number {
    return this.#requests.size;
  }

  raw(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  send(frame: object): void {
    this.raw(`${JSON.stringify({ jsonrpc: '2.0', ...frame })}\n`);
  }

  result(request: Request, result: unknown): void {
    this.send({ id: request.id, result });
  }

  failure(request: Request | null, { message = 'refused', ...data }: FailureData): void {
    this.send({ id: request?.id ?? null, error: { code: -32_000, message, data } });
  }

  event(method: string, params: object): void {
    this.send({ method, params });
  }
}

/** A server whose every byte the test decides. */
export interface LineServer {
  readonly address: ServerAddress;
  /** The next connection. */
  peer(): Promise<Peer>;
  /** Connections so far. */
  readonly connections: number;
  close(): Promise<void>;
}

/** How a server behaves by itself. */
export interface LineServerOptions {
  readonly tls?: TlsOptions;
  /** Serves calls instead of leaving them to the test. */
  readonly onRequest?: (request: Request, peer: Peer) => void;
  readonly onPeer?: (peer: Peer) => void;
}

/** Listens on a free loopback port until the test has ended. */
export async function startLineServer(options: LineServerOptions = {}): Promise<LineServer> {
  const peers = new Queue<Peer>();
  const sockets = new Set<Socket>();
  let connections = 0;
  const onSocket = (socket: Socket): void => {
    connections += 1;
    const peer = new Peer(socket, options.onRequest);
    options.onPeer?.(peer);
    peers.push(peer);
  };
  const server = options.tls ? createTlsServer(options.tls, onSocket) : createServer(onSocket);
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  onTestFinished(close);
  return {
    address: { scheme: options.tls ? 'chat' : 'plain', host: options.tls ? 'localhost' : '127.0.0.1', port },
    peer: () => peers.next(),
    get connections() {
      return connections;
    },
    close,
  };
}
