import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { EndReason } from '../../core/events.ts';
import { lingerAndClose } from '../linger.ts';
import type { Arrival, OpenDoor } from './door.ts';
import type { HttpPeer } from './http-peer.ts';
import { httpRefusal, shuttingDown } from './refusals.ts';

/** One request and who asked. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly peer: HttpPeer;
}

/** One connection that speaks HTTP: knows which of its requests have no answer yet. */
export class HttpConnection implements OpenDoor {
  readonly arrival: Arrival;
  readonly #socket: Socket;
  readonly #underWay = new Set<Exchange>();
  #latest: Exchange | undefined;
  #isClosing = false;
  #waiters: Array<() => void> = [];
  /** What serves this connection after HTTP. */
  #successor: OpenDoor | undefined;

  constructor(arrival: Arrival) {
    this.arrival = arrival;
    this.#socket = arrival.socket;
    this.#socket.once('close', () => {
      for (const exchange of [...this.#underWay]) this.#finish(exchange);
    });
  }

  /** Requests that have no answer yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Takes a request up until its answer is written or the connection is gone; false when no further one is served. */
  begin(exchange: Exchange): boolean {
    if (this.#isClosing) return false;
    this.#latest = exchange;
    this.#underWay.add(exchange);
    exchange.response.once('close', () => this.#finish(exchange));
    return true;
  }

  /**
   * Gives the connection to another door once the answers that are due have been written; what is asked of this one is then
   * asked of that. `open` answers undefined when it has refused and closes.
   */
  async handOver(open: () => OpenDoor | undefined): Promise<void> {
    await this.#until(() => this.#underWay.size === 0);
    if (this.#socket.destroyed) return;
    if (this.#isClosing) {
      this.#socket.write(httpRefusal(shuttingDown()));
      lingerAndClose(this.#socket);
      return;
    }
    this.#successor = open();
  }

  quiesce(): Promise<void> {
    if (this.#successor) return this.#successor.quiesce();
    this.#isClosing = true;
    for (const { response } of this.#underWay) response.shouldKeepAlive = false;
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
    if (this.#isClosing) return;
    this.#isClosing = true;
    const latest = this.#latest;
    const unread = latest && !latest.request.complete ? latest : undefined;
    const isUnreadAnswered = unread?.response.headersSent === true;
    await this.#until(() => [...this.#underWay].every((one) => one === unread && !isUnreadAnswered));
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (!isUnreadAnswered) this.#socket.write(lastWords);
    lingerAndClose(this.#socket);
  }

  #finish(exchange: Exchange): void {
    if (!this.#underWay.delete(exchange)) return;
    exchange.peer.leave();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const look of waiters) look();
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
