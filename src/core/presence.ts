import type { EventCodec } from './events.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { maxQueuedBytes } from './policy.ts';
import type { Turn } from './turn.ts';

/** Who is online on this node: has an open, logged-in connection that takes events (protocol). */
export interface Presence {
  arrived(user: Username): void;
  left(user: Username): void;
  isOnline(user: Username): boolean;
  /** How many are online. */
  readonly count: number;
  /** Everybody online, in order of name. */
  online(): Username[];
  /** Sends `peer` a `presence` event for each change from now on. */
  watch(peer: Peer): void;
  unwatch(peer: Peer): void;
}

interface Watcher {
  readonly codec: EventCodec;
  /** Users whose changes wait for a slow reader. */
  missed: Set<Username> | undefined;
}

/** Builds the presence of one node. Changes of one turn are told together; who left and came back has not changed. */
export function createPresence(turn: Turn): Presence {
  const connections = new Map<Username, number>();
  const watchers = new Map<Peer, Watcher>();
  /** Users whose state may have changed in this turn, with what was told last. */
  const changed = new Map<Username, boolean>();

  function note(user: Username, wasOnline: boolean): void {
    if (changed.has(user)) return;
    changed.set(user, wasOnline);
    if (changed.size === 1) turn.atEnd('encode', tell);
  }

  function tell(): void {
    const events = [...changed]
      .map(([user, wasOnline]) => ({ user, wasOnline, online: connections.has(user) }))
      .filter(({ wasOnline, online }) => wasOnline !== online)
      .map(({ user, online }) => ({ type: 'presence', user, online }) as const);
    changed.clear();
    if (events.length === 0) return;
    const encoded = new Map<EventCodec, Uint8Array>();
    for (const [peer, watcher] of watchers) {
      if (watcher.missed || peer.queuedBytes > maxQueuedBytes) {
        miss(peer, watcher, events);
        continue;
      }
      const bytes = encoded.get(watcher.codec) ?? watcher.codec.encode(events);
      encoded.set(watcher.codec, bytes);
      peer.push(bytes);
    }
  }

  /** A watcher that reads slowly is told the state of everybody who changed once it has read what is queued. */
  function miss(peer: Peer, watcher: Watcher, events: readonly { user: Username }[]): void {
    const isFirst = watcher.missed === undefined;
    watcher.missed ??= new Set();
    for (const { user } of events) watcher.missed.add(user);
    if (isFirst) void catchUp(peer, watcher);
  }

  async function catchUp(peer: Peer, watcher: Watcher): Promise<void> {
    await peer.drained();
    const missed = watcher.missed ?? [];
    watcher.missed = undefined;
    if (peer.isGone || watchers.get(peer) !== watcher) return;
    peer.push(
      watcher.codec.encode(
        [...missed].map((user) => ({ type: 'presence', user, online: connections.has(user) })),
      ),
    );
  }

  return {
    arrived(user) {
      const count = connections.get(user) ?? 0;
      connections.set(user, count + 1);
      if (count === 0) note(user, false);
    },
    left(user) {
      const count = connections.get(user) ?? 0;
      if (count > 1) {
        connections.set(user, count - 1);
      } else if (connections.delete(user)) {
        note(user, true);
      }
    },
    isOnline: (user) => connections.has(user),
    get count() {
      return connections.size;
    },
    online: () => [...connections.keys()].sort(),
    watch(peer) {
      if (peer.events && !watchers.has(peer)) watchers.set(peer, { codec: peer.events, missed: undefined });
    },
    unwatch(peer) {
      watchers.delete(peer);
    },
  };
}
