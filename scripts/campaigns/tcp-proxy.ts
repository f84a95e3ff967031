import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** Which way bytes go through a proxy: `up` to its target, `down` from it. */
export type Direction = 'up' | 'down';

/** A network of its own for one user of one target, which a test breaks and mends. */
export interface TcpProxy {
  /** On 127.0.0.1; the same for as long as the proxy lives. */
  readonly port: number;
  /** Connections that are open on the side of the clients. */
  readonly connections: number;
  /**
   * Keeps what comes that way, ends and resets too, until {@link heal}: for whoever waits on the other side it is as if packets were lost.
   * No new connection comes to the target meanwhile, since a handshake needs both ways.
   */
  hold(...directions: readonly Direction[]): void;
  /** Forwards each chunk so many milliseconds after it came. */
  delay(ms: number): void;
  /** Resets every open connection, on both sides. */
  cut(): void;
  /** Refuses new connections, and resets the open ones. */
  refuse(): Promise<void>;
  /** Forwards everything again, first what was kept. */
  heal(): Promise<void>;
  /** Hears every chunk before it is forwarded or kept; answers a function that stops it. */
  onBytes(listener: (direction: Direction, chunk: Buffer) => void): () => void;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Where a proxy forwards to. */
export interface ProxyTarget {
  readonly port: number;
  /** Left out: this machine's own address. */
  readonly host?: string;
}

/** What may be kept of a connection in one direction before its source is no longer read, in bytes. */
const mostKeptBytes = 1_048_576;

/** Opens a proxy to a target, which need not be there yet. */
export async function openTcpProxy(target: ProxyTarget): Promise<TcpProxy> {
  const proxy = new BreakableProxy(target);
  await proxy.listen();
  return proxy;
}

class BreakableProxy implements TcpProxy {
  readonly #target: ProxyTarget;
  readonly #links = new Set<Link>();
  readonly #listeners = new Set<(direction: Direction, chunk: Buffer) => void>();
  readonly #held = new Set<Direction>();
  #server: Server | undefined;
  #port = 0;
  #delayMs = 0;

  constructor(target: ProxyTarget) {
    this.#target = target;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#links.size;
  }

  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const link = new Link(client, this.#target, {
        isHeld: (direction) => this.#held.has(direction),
        isAnyHeld: () => this.#held.size > 0,
        delayMs: () => this.#delayMs,
        onBytes: (direction, chunk) => {
          for (const listener of [...this.#listeners]) listener(direction, chunk);
        },
        onEnd: () => this.#links.delete(link),
      });
      this.#links.add(link);
      link.start();
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
  }

  delay(ms: number): void {
    this.#delayMs = ms;
  }

  cut(): void {
    for (const link of [...this.#links]) link.reset();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (!server) return;
    server.close();
    await once(server, 'close');
  }

  async heal(): Promise<void> {
    this.#held.clear();
    this.#delayMs = 0;
    if (!this.#server) await this.listen();
    for (const link of [...this.#links]) link.goOn();
  }

  onBytes(listener: (direction: Direction, chunk: Buffer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.refuse();
  }
}

/** What a connection asks of its proxy. */
interface Ways {
  isHeld(direction: Direction): boolean;
  isAnyHeld(): boolean;
  delayMs(): number;
  onBytes(direction: Direction, chunk: Buffer): void;
  onEnd(): void;
}

/** One connection through a proxy. */
class Link {
  readonly #client: Socket;
  readonly #target: ProxyTarget;
  readonly #ways: Ways;
  readonly #up: Lane;
  readonly #down: Lane;
  #server: Socket | undefined;

  constructor(client: Socket, target: ProxyTarget, ways: Ways) {
    this.#client = client;
    this.#target = target;
    this.#ways = ways;
    this.#up = new Lane('up', ways);
    this.#down = new Lane('down', ways);
  }

  start(): void {
    this.#up.read(this.#client);
    this.#down.write(this.#client);
    this.#client.once('close', () => this.#endIfOver());
    this.goOn();
  }

  /** Forwards what can be forwarded now. */
  goOn(): void {
    if (!this.#server && !this.#ways.isAnyHeld()) this.#connect();
    this.#up.pump();
    this.#down.pump();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server?.resetAndDestroy();
    this.#up.stop();
    this.#down.stop();
    this.#ways.onEnd();
  }

  #connect(): void {
    const { port, host = '127.0.0.1' } = this.#target;
    const server = dial({ port, host, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    this.#down.read(server);
    this.#up.write(server);
    server.once('close', () => this.#endIfOver());
  }

  #endIfOver(): void {
    if (this.#client.destroyed && (!this.#server || this.#server.destroyed)) this.#ways.onEnd();
  }
}

/** One direction of a connection: what comes is kept until it is time. */
class Lane {
  readonly #direction: Direction;
  readonly #ways: Ways;
  readonly #kept: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  #keptBytes = 0;
  #from: Socket | undefined;
  #to: Socket | undefined;
  /** How the source has ended, which is told after what it said before. */
  #end: 'finished' | 'reset' | undefined;
  #isFull = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(direction: Direction, ways: Ways) {
    this.#direction = direction;
    this.#ways = ways;
  }

  read(from: Socket): void {
    this.#from = from;
    from.on('data', (chunk: Buffer) => {
      this.#ways.onBytes(this.#direction, chunk);
      this.#kept.push({ chunk, dueAt: performance.now() + this.#ways.delayMs() });
      this.#keptBytes += chunk.length;
      if (this.#keptBytes > mostKeptBytes) from.pause();
      this.pump();
    });
    from.once('end', () => this.#ended('finished'));
    from.once('error', () => this.#ended('reset'));
    from.once('close', () => this.#ended('reset'));
  }

  write(to: Socket): void {
    this.#to = to;
    to.on('drain', () => {
      this.#isFull = false;
      this.pump();
    });
    to.on('error', () => {});
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#kept.length = 0;
  }

  pump(): void {
    clearTimeout(this.#timer);
    const to = this.#to;
    if (!to || this.#ways.isHeld(this.#direction)) return;
    while (this.#kept[0] && !this.#isFull) {
      const { chunk, dueAt } = this.#kept[0];
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#kept.shift();
      this.#keptBytes -= chunk.length;
      if (!to.destroyed) this.#isFull = !to.write(chunk);
    }
    if (this.#keptBytes <= mostKeptBytes) this.#from?.resume();
    if (this.#kept.length > 0 || !this.#end) return;
    if (this.#end === 'finished') to.end();
    else to.resetAndDestroy();
  }

  #ended(how: 'finished' | 'reset'): void {
    // A socket that has finished closes later, once both ways have.
    if (this.#end === undefined) this.#end = how;
    else if (this.#end === 'finished' && how === 'reset' && !this.#to?.writableEnded) this.#end = how;
    this.pump();
  }
}
