import { jsonRpcEvents } from '../../../src/core/codecs/json-rpc.ts';
import type { ChatEvent, EndReason, EventCodec } from '../../../src/core/events.ts';
import type { DoorName, Session } from '../../../src/core/model/session.ts';
import type { Channel, Peer } from '../../../src/core/peer.ts';

/** The identity key that every fake connection says its server has. */
export const serverKey = new TextEncoder().encode('server public key');

/** What a fake connection is, where a test cares. */
export interface FakePeerParts {
  readonly door?: DoorName;
  readonly address?: string;
  readonly channel?: Channel;
  /** Left out: JSON-RPC's; null for a connection that cannot be pushed to. */
  readonly events?: EventCodec | null;
}

/** An event as its reader finds it on the wire: its name and its fields. */
export interface ToldEvent {
  readonly type: ChatEvent['type'];
  readonly [field: string]: unknown;
}

let lastId = 0;

/** A connection without a socket: it keeps what it was given, and reads as slowly as the test wants. */
export class FakePeer implements Peer {
  readonly id = ++lastId;
  readonly door: DoorName;
  readonly address: string;
  readonly channel: Channel;
  readonly events: EventCodec | undefined;
  session: Session | undefined = undefined;
  readonly pushed: Uint8Array[] = [];
  /** Why this connection was ended, each time that it was. */
  readonly endings: EndReason[] = [];
  /** True while nothing that is pushed leaves: it waits until `drain`. */
  isSlow = false;
  isGone = false;
  queuedBytes = 0;
  /** The most that has ever waited. */
  mostQueued = 0;

  #waiters: Array<(isTaken: boolean) => void> = [];
  #goneListeners: Array<() => void> = [];

  constructor({ door = 'line', address = '192.0.2.1', channel = { serverKey }, events }: FakePeerParts = {}) {
    this.door = door;
    this.address = address;
    this.channel = channel;
    this.events = events === null ? undefined : (events ?? jsonRpcEvents);
  }

  push(bytes: Uint8Array): void {
    if (this.isGone) return;
    this.pushed.push(bytes);
    if (this.isSlow) this.queuedBytes += bytes.length;
    this.mostQueued = Math.max(this.mostQueued, this.queuedBytes);
  }

  drained(): Promise<void> {
    if (this.isGone || this.queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(() => resolve()));
  }

  taken(): Promise<boolean> {
    if (this.queuedBytes === 0) return Promise.resolve(!this.isGone);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Lets everything that waits leave; the connection stays as slow as it is. */
  drain(): void {
    this.#empty(true);
  }

  end(reason: EndReason): void {
    this.endings.push(reason);
    this.leave();
  }

  /** The other end has hung up. */
  leave(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#empty(false);
    const listeners = this.#goneListeners;
    this.#goneListeners = [];
    for (const listener of listeners) listener();
  }

  #empty(isTaken: boolean): void {
    this.queuedBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(isTaken);
  }

  /** How many wait to hear that it is gone. */
  get goneListeners(): number {
    return this.#goneListeners.length;
  }

  onGone(listener: () => void): void {
    if (this.isGone) listener();
    else this.#goneListeners.push(listener);
  }

  /** Everything that was pushed so far, taken apart as a client would. */
  told(type?: ChatEvent['type']): ToldEvent[] {
    const lines = this.pushed.map((bytes) => new TextDecoder().decode(bytes)).join('');
    return lines
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const { method, params } = JSON.parse(line) as { method: ChatEvent['type']; params: object };
        return { type: method, ...params };
      })
      .filter((event) => type === undefined || event.type === type);
  }

  /** The seqs of the messages told so far in one conversation. */
  seqs(to: string): unknown[] {
    return this.told('message')
      .filter((event) => event.to === to)
      .map((event) => event.seq);
  }
}

/** A connection that has just been made. */
export function peer(parts: FakePeerParts = {}): FakePeer {
  return new FakePeer(parts);
}
