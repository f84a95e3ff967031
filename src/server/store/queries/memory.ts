import type { ConversationId, UserId } from '../../../core/model/ids.ts';
import type { Audience } from '../../../core/model/message.ts';

/** Where a conversation stands; what the database says of it may be older until `writeBack` has run. */
export interface Head {
  readonly id: ConversationId;
  lastSeq: number;
  /** The greatest `sentAt` so far, UTC milliseconds. */
  latestAt: number;
}

/** A conversation that one sender may write in. */
export interface Route {
  readonly head: Head;
  readonly audience: Audience;
}

/** Senders whose routes are kept at most: 10,000 of them with ten conversations each are about 20 MB. */
const maxSenders = 10_000;

/**
 * What sending remembers of the rows it has read, so that a send is one insertion. Valid as long as nobody else writes: for the
 * embedded database while it is open, for a shared one within a transaction that has locked those rows. To be forgotten
 * whole when a transaction or a part of it is undone.
 */
export class Memory {
  #routes = new Map<UserId, Map<string, Route>>();
  #heads = new Map<ConversationId, Head>();
  #ahead = new Set<Head>();

  /** The route of `sender` to a conversation as it names it (`#room`, `@user`). */
  route(sender: UserId, to: string): Route | undefined {
    return this.#routes.get(sender)?.get(to);
  }

  /** Keeps a route; answers it with the one head that all routes to its conversation share. */
  keep(sender: UserId, to: string, found: Route): Route {
    const head = this.#heads.get(found.head.id) ?? found.head;
    this.#heads.set(head.id, head);
    const route: Route = { head, audience: found.audience };
    let routes = this.#routes.get(sender);
    if (!routes) {
      if (this.#routes.size >= maxSenders) this.#makeRoom(head);
      routes = new Map();
      this.#routes.set(sender, routes);
    }
    routes.set(to, route);
    return route;
  }

  /** Takes note that a message was stored at `seq`, which its conversation's row does not say yet. */
  advance(head: Head, seq: number, latestAt: number): void {
    head.lastSeq = seq;
    head.latestAt = latestAt;
    this.#ahead.add(head);
  }

  /** The heads that are ahead of their rows; they count as written from now on. */
  takeAhead(): readonly Head[] {
    if (this.#ahead.size === 0) return [];
    const heads = [...this.#ahead];
    this.#ahead.clear();
    return heads;
  }

  /** Forgets what `sender` may write in: it has left a room. */
  forgetSender(sender: UserId): void {
    this.#routes.delete(sender);
  }

  #makeRoom(kept: Head): void {
    this.#routes.clear();
    this.#heads.clear();
    for (const head of [kept, ...this.#ahead]) this.#heads.set(head.id, head);
  }

  /** Forgets everything, since the database may not hold it. */
  forget(): void {
    this.#routes.clear();
    this.#heads.clear();
    this.#ahead.clear();
  }
}
