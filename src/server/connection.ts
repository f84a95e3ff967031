import type { Socket } from 'node:net';
import type { EndReason, EventCodec } from '../core/events.ts';
import type { DoorName, Session } from '../core/model/session.ts';
import type { Channel, Peer } from '../core/peer.ts';
import type { Turn } from '../core/turn.ts';
import { lingerAndClose } from './linger.ts';
import { type TakingWatch, watchTaking } from './taking-watch.ts';

/** What a connection needs to know about itself. */
export interface ConnectionParts {
  readonly id: number;
  readonly door: DoorName;
  /** Canonical text of the peer's IP address. */
  readonly address: string;
  readonly channel: Channel;
  readonly events: EventCodec | undefined;
  readonly turn: Turn;
  /** Above so many waiting bytes the peer counts as congested; 0 for never. */
  readonly maxQueuedBytes: number;
  /** A peer that takes nothing of what waits for it for so long is gone, in milliseconds; 0 for never. */
  readonly takingMs: number;
  /** Told of a listener that threw; the connection itself goes on. */
  readonly onFailure: (error: unknown) => void;
  /** Closes the socket after what was written to it, for a `reason` when it was ended. */
  readonly hangUp?: (reason: EndReason | undefined) => void;
}

/** Parts of one turn up to this size are copied into one buffer: cheaper than a vector of small ones. */
const joinBytes = 16_384;

/**
 * One peer over one socket. What a turn pushes leaves in one write; what the peer does not take waits in the
 * socket's own queue, counted by `queuedBytes`. Errors of the socket end the connection quietly.
 */
export class Connection implements Peer {
  readonly id: number;
  readonly door: DoorName;
  readonly address: string;
  readonly channel: Channel;
  readonly events: EventCodec | undefined;
  session: Session | undefined = undefined;
  /** Called each time that a congested peer has taken half of what may wait. */
  onRoom: (() => void) | undefined = undefined;

  readonly #socket: Socket;
  readonly #turn: Turn;
  readonly #maxQueuedBytes: number;
  readonly #taking: TakingWatch;
  readonly #onFailure: (error: unknown) => void;
  readonly #hangUp: (reason: EndReason | undefined) => void;
  #parts: Array<Uint8Array | string> = [];
  #partsBytes = 0;
  #isFlushDue = false;
  #isGone = false;
  /** Something that was pushed will not leave any more. */
  #hasLost = false;
  #wasCongested = false;
  #drainWaiters: Array<() => void> | undefined;
  #takenWaiters: Array<(isTaken: boolean) => void> | undefined;
  #goneListeners: Array<() => void> | undefined;

  constructor(socket: Socket, parts: ConnectionParts) {
    this.id = parts.id;
    this.door = parts.door;
    this.address = parts.address;
    this.channel = parts.channel;
    this.events = parts.events;
    this.#socket = socket;
    this.#turn = parts.turn;
    this.#maxQueuedBytes = parts.maxQueuedBytes;
    this.#taking = watchTaking(socket, parts.takingMs);
    this.#onFailure = parts.onFailure;
    this.#hangUp = parts.hangUp ?? (() => lingerAndClose(socket));
    // A reset or a broken pipe is how peers leave; `close` follows and says so to whom it concerns.
    socket.on('error', ignore);
    socket.once('close', () => {
      this.#leave();
      this.#releaseTaken(false);
    });
    if (socket.destroyed) this.#leave();
  }

  get queuedBytes(): number {
    return this.#partsBytes + this.#socket.writableLength;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** True while more than `maxQueuedBytes` wait: then nothing more should be done for this peer. */
  get isCongested(): boolean {
    if (this.#maxQueuedBytes === 0 || this.queuedBytes <= this.#maxQueuedBytes) return false;
    this.#wasCongested = true;
    return true;
  }

  push(bytes: Uint8Array): void {
    this.#add(bytes, bytes.length);
  }

  /** Like {@link push}, for text: what one turn answers is spelled, joined and encoded once. */
  pushText(text: string): void {
    this.#add(text, text.length);
  }

  drained(): Promise<void> {
    if (this.#isGone || this.queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  taken(): Promise<boolean> {
    if (this.#hasLost) return Promise.resolve(false);
    if (this.queuedBytes === 0) return Promise.resolve(true);
    if (this.#socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#takenWaiters ??= [];
      this.#takenWaiters.push(resolve);
    });
  }

  end(reason: EndReason): void {
    if (this.#isGone) return;
    if (this.events) this.push(this.events.encode([{ type: 'session-ended', reason }]));
    this.#close(reason);
  }

  /** Writes what is queued and closes, without a word of its own. */
  close(): void {
    this.#close(undefined);
  }

  /** Closes at once; what waits is lost. */
  destroy(): void {
    this.#socket.destroy();
    this.#leave();
  }

  onGone(listener: () => void): void {
    if (this.#isGone) {
      this.#run(listener);
      return;
    }
    this.#goneListeners ??= [];
    this.#goneListeners.push(listener);
  }

  #close(reason: EndReason | undefined): void {
    if (this.#isGone) return;
    this.#flush();
    this.#hangUp(reason);
    this.#leave();
  }

  #add(part: Uint8Array | string, length: number): void {
    if (this.#isGone || length === 0) return;
    this.#parts.push(part);
    this.#partsBytes += length;
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#turn.atEnd('write', this.#flushTurn);
  }

  readonly #flushTurn = (): void => {
    this.#isFlushDue = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#parts.length === 0 || this.#isGone) return;
    const parts = this.#parts;
    const length = this.#partsBytes;
    this.#parts = [];
    this.#partsBytes = 0;
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) this.#socket.write(first, this.#onWritten);
    else if (parts.every(isText)) this.#socket.write(parts.join(''), this.#onWritten);
    else if (length <= joinBytes) this.#socket.write(Buffer.concat(parts.map(toBytes)), this.#onWritten);
    else this.#writeAll(parts);
    if (this.#socket.writableLength > 0) this.#taking.begin();
  }

  #writeAll(parts: ReadonlyArray<Uint8Array | string>): void {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(toBytes(part), this.#onWritten);
    this.#socket.uncork();
  }

  readonly #onWritten = (error?: Error | null): void => {
    // What failed was not taken; `close` follows and releases who waits.
    if (error) {
      this.#hasLost = true;
      return;
    }
    const waiting = this.queuedBytes;
    if (waiting === 0) {
      this.#releaseWaiters();
      this.#releaseTaken(true);
    }
    if (this.#wasCongested && waiting <= this.#maxQueuedBytes / 2) {
      this.#wasCongested = false;
      if (this.onRoom) this.#run(this.onRoom);
    }
  };

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.#parts.length > 0) this.#hasLost = true;
    this.#parts = [];
    this.#partsBytes = 0;
    this.onRoom = undefined;
    this.#releaseWaiters();
    const listeners = this.#goneListeners ?? [];
    this.#goneListeners = undefined;
    for (const listener of listeners) this.#run(listener);
  }

  #releaseWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    if (waiters) for (const resolve of waiters) resolve();
  }

  #releaseTaken(isTaken: boolean): void {
    const waiters = this.#takenWaiters;
    this.#takenWaiters = undefined;
    if (waiters) for (const resolve of waiters) resolve(isTaken);
  }

  /** One listener's exception must not keep the others from hearing, nor end the process (ASVS 16.5.4). */
  #run(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#onFailure(error);
    }
  }
}

function isText(part: Uint8Array | string): part is string {
  return typeof part === 'string';
}

function toBytes(part: Uint8Array | string): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part) : part;
}

function ignore(): void {}
