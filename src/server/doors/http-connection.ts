import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ChatError } from '../../core/errors.ts';
import type { EndReason } from '../../core/events.ts';
import type { DoorName } from '../../core/model/session.ts';
import { lingerAndClose } from '../linger.ts';
import { type TakingWatch, watchTaking } from '../taking-watch.ts';
import type { Arrival, DoorLimits, OpenDoor } from './door.ts';
import type { HttpPeer } from './http-peer.ts';
import { httpRefusal, shuttingDown } from './refusals.ts';

/** One request and who asked. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly peer: HttpPeer;
}

/** What a connection may hold. */
export type HttpConnectionLimits = Pick<
  DoorLimits,
  'maxPipelined' | 'maxQueuedBytes' | 'maxLineBytes' | 'startedLineAfterLoginMs'
>;

/** With so much waiting nothing more is read: what was read already is one chunk at most. */
const heldUp = { requests: 16, bytes: 262_144 } as const;
/** What a request costs in memory besides its texts, and each of its header fields, in bytes: measured, rounded up. */
const objectBytes = { request: 8_192, field: 150 } as const;
/** What may wait behind unfinished requests on all connections together, in bytes: many may hold a little each. */
const maxHeldBytes = 67_108_864;

/** What waits on all connections of one door. */
export interface HeldRequests {
  bytes: number;
}

/** A request that waits until all before it have been answered. */
interface Waiting {
  readonly exchange: Exchange;
  /** Of its head in memory, and of its body as far as the request says, in bytes. */
  readonly size: number;
  readonly start: () => void;
}

/**
 * One connection that speaks HTTP. Its requests are served one after the other: each when the answers before it have been
 * handed to the system (RFC 9112 section 9.3.2), so that whoever does not read what it asked for gets no further.
 */
export class HttpConnection implements OpenDoor {
  readonly arrival: Arrival;
  readonly #socket: Socket;
  readonly #limits: HttpConnectionLimits;
  readonly #held: HeldRequests;
  /** Requests without an answer, in their order, with what each of them holds, in bytes. */
  readonly #underWay = new Map<Exchange, number>();
  /** The one that is being served, until its answer has been handed to the system. */
  #served: Exchange | undefined;
  readonly #waiting: Waiting[] = [];
  #waitingSize = 0;
  /** Set while the socket is not read because too much waits. */
  #isHeldUp = false;
  /** A client that takes nothing of its answers for as long as a request may take is not waited for. */
  readonly #taking: TakingWatch;
  #latest: Exchange | undefined;
  #isClosing = false;
  /** True once something came that is no request: what waits for its own rest is not served any more. */
  #isUnreadable = false;
  #waiters: Array<() => void> = [];
  /** What serves this connection after HTTP. */
  #successor: OpenDoor | undefined;

  constructor(arrival: Arrival, limits: HttpConnectionLimits, held: HeldRequests) {
    this.arrival = arrival;
    this.#limits = limits;
    this.#held = held;
    this.#socket = arrival.socket;
    this.#taking = watchTaking(
      this.#socket,
      limits.startedLineAfterLoginMs,
      () => this.#served !== undefined,
    );
    // What Node does after the last answer, and would lose that answer by when the client is still sending.
    this.#socket.destroySoon = () => lingerAndClose(this.#socket);
    this.#socket.once('close', () => {
      this.#waiting.length = 0;
      for (const exchange of [...this.#underWay.keys()]) this.#finish(exchange);
    });
  }

  get door(): DoorName {
    return this.#successor?.door ?? 'http';
  }

  get queuedBytes(): number {
    return this.#successor?.queuedBytes ?? this.#socket.writableLength;
  }

  /**
   * Takes a request up: `serve` is called when its turn has come, with an error when it is to be refused. Requests that come
   * while the connection is closing are dropped.
   */
  take(exchange: Exchange, serve: (refusal?: ChatError) => void): void {
    const { request, response } = exchange;
    if (this.#isClosing) {
      request.resume();
      return;
    }
    const refusal = this.#tooMany();
    this.#latest = exchange;
    const size = headSize(request) + this.#bodySize(request);
    this.#underWay.set(exchange, size);
    this.#held.bytes += size;
    response.once('close', () => this.#finish(exchange));
    // Whoever waits for its answers before it asks on is not met by this.
    if (this.#held.bytes > maxHeldBytes && this.#underWay.size > 1) {
      this.#socket.destroy();
      return;
    }
    if (refusal) {
      // At once, for nothing of it is kept; Node writes it in its turn, and reads no further when too many answers wait.
      request.resume();
      serve(refusal);
      return;
    }
    this.#waiting.push({ exchange, size, start: serve });
    this.#waitingSize += size;
    this.#startNext();
    if (this.#waiting.length > heldUp.requests || this.#waitingSize > heldUp.bytes) {
      this.#isHeldUp = true;
      this.#socket.pause();
    }
  }

  /**
   * Gives the connection to another door once the answers that are due have been written; what is asked of this one is then
   * asked of that. `open` answers undefined when it has refused and closes.
   */
  async handOver(open: () => OpenDoor | undefined): Promise<void> {
    await this.#until(() => this.#underWay.size === 0);
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (this.#isClosing) {
      this.#socket.write(httpRefusal(shuttingDown(), { isSecure: this.#socket instanceof TLSSocket }));
      lingerAndClose(this.#socket);
      return;
    }
    this.#successor = open();
  }

  quiesce(): Promise<void> {
    if (this.#successor) return this.#successor.quiesce();
    this.#isClosing = true;
    // The one that says so has to be the last: nothing comes after it.
    const last = [...this.#underWay.keys()].at(-1);
    if (last) last.response.shouldKeepAlive = false;
    return this.#until(() => this.#underWay.size === 0);
  }

  /** HTTP has no word for a client that has not asked anything. */
  end(reason: EndReason): void {
    if (this.#successor) this.#successor.end(reason);
    else lingerAndClose(this.#socket);
  }

  /**
   * Closes after all answers that are due, since what came next cannot be read; `lastWords` answer it, unless it is the rest of
   * a request that has been answered already.
   */
  async refuse(lastWords: Uint8Array): Promise<void> {
    if (this.#isUnreadable) return;
    this.#isClosing = true;
    this.#isUnreadable = true;
    const latest = this.#latest;
    const unread = latest && !latest.request.complete ? latest : undefined;
    const isUnreadAnswered = unread?.response.headersSent === true;
    await this.#until(() => [...this.#underWay.keys()].every((one) => one === unread && !isUnreadAnswered));
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (!isUnreadAnswered) this.#socket.write(lastWords);
    lingerAndClose(this.#socket);
  }

  #tooMany(): ChatError | undefined {
    const { maxPipelined, maxQueuedBytes } = this.#limits;
    const isFull = maxPipelined !== 0 && this.#underWay.size >= maxPipelined;
    if (!isFull && (maxQueuedBytes === 0 || this.#waitingSize < maxQueuedBytes)) return undefined;
    return new ChatError('rate-limited', 'too many requests of this connection are under way', {
      retryAfterMs: 1_000,
    });
  }

  #bodySize({ headers }: IncomingMessage): number {
    if (headers['transfer-encoding'] !== undefined) return this.#limits.maxLineBytes;
    return Number(headers['content-length'] ?? 0);
  }

  #finish(exchange: Exchange): void {
    const size = this.#underWay.get(exchange);
    if (size === undefined) return;
    this.#underWay.delete(exchange);
    this.#held.bytes -= size;
    exchange.peer.leave();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const look of waiters) look();
    if (this.#served !== exchange) return;
    this.#served = undefined;
    this.#startNext();
  }

  #startNext(): void {
    // After an answer that said close, nothing is served that could not be answered (RFC 9112 section 9.6).
    if (this.#served || this.#socket.writableEnded) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#waitingSize -= next.size;
    if (this.#isUnreadable && !next.exchange.request.complete) return;
    this.#served = next.exchange;
    // What still comes of a body that is served now comes behind nothing that waits.
    if (this.#isHeldUp && this.#waiting.length === 0) {
      this.#isHeldUp = false;
      this.#socket.resume();
    }
    this.#taking.begin();
    next.start();
  }

  /** Resolves as soon as `isSo`, looking again at each end of a request. */
  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSo()) resolve();
        else this.#waiters.push(look);
      };
      look();
    });
  }
}

/** What a request's head holds in memory, in bytes; its texts are counted as if each character were one. */
function headSize({ url = '', rawHeaders }: IncomingMessage): number {
  const texts = rawHeaders.reduce((sum, text) => sum + text.length, url.length);
  return objectBytes.request + texts + (rawHeaders.length / 2) * objectBytes.field;
}
