import type { EndReason } from '../../core/events.ts';
import type { DoorName, Session } from '../../core/model/session.ts';
import type { Channel, Peer } from '../../core/peer.ts';

/** Where a request came from, and how it is told that nobody waits for its answer any more. */
export interface HttpPeerParts {
  readonly id: number;
  readonly door: DoorName;
  /** Canonical text of the peer's IP address. */
  readonly address: string;
  readonly channel: Channel;
}

/** The peer of one HTTP request: it has a session while the request is served, and nothing can be pushed to it. */
export class HttpPeer implements Peer {
  readonly id: number;
  /** The route's, which is known only once the request has been read. */
  door: DoorName;
  readonly address: string;
  readonly channel: Channel;
  readonly events = undefined;
  readonly queuedBytes = 0;
  session: Session | undefined = undefined;
  #isGone = false;
  #goneListeners: Array<() => void> = [];

  constructor({ id, door, address, channel }: HttpPeerParts) {
    this.id = id;
    this.door = door;
    this.address = address;
    this.channel = channel;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  push(): void {}

  drained(): Promise<void> {
    return Promise.resolve();
  }

  taken(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** The session has ended: the request finds that out by itself, at its next call. */
  end(_reason: EndReason): void {}

  onGone(listener: () => void): void {
    if (this.#isGone) listener();
    else this.#goneListeners.push(listener);
  }

  /** The request has been answered, or its client has gone. */
  leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const listeners = this.#goneListeners;
    this.#goneListeners = [];
    for (const listener of listeners) listener();
  }
}
