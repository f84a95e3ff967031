import type { EventCodec } from './events.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { maxQueuedBytes } from './policy.ts';
import type { PresenceBoard, PresenceChange } from './ports/presence-board.ts';
import type { Turn } from './turn.ts';

/** Who is online, on whatever node: has an open, logged-in connection that takes events (protocol). */
export interface Presence {
  /** A connection of this node has a user from now on. */
  arrived(user: Username): void;
  /** … or has none any more. */
  left(user: Username): void;
  isOnline(user: Username): boolean;
  /** How many are online on this node. */
  readonly count: number;
  /** Everybody online, in order of name. */
  online(): Username[];
  /** Sends `peer` a `presence` event for each change from now on. */
  watch(peer: Peer): void;
  unwatch(peer: Peer): void;
  /** Tells the other nodes that nobody is online here any more. */
  stop(): void;
}

interface Watcher {
  readonly codec: EventCodec;
  /** Users whose changes wait for a slow reader. */
  missed: Set<Username> | undefined;
}

/** What was the case of a user before this turn. */
interface Before {
  readonly here: boolean;
  readonly anywhere: boolean;
}

/**
 * Builds the presence of one node; `board` knows of the others, without it there are none. Changes of one turn are told together, to
 * those who watch here and to the other nodes; who left and came back has not changed.
 */
export function createPresence(turn: Turn, board?: PresenceBoard): Presence {
  const connections = new Map<Username, number>();
  const watchers = new Map<Peer, Watcher>();
  /** Users whose state may have changed in this turn, with what was told last. */
  const changed = new Map<Username, Before>();
  const isOnline = (user: Username): boolean => connections.has(user) || board?.isOnline(user) === true;

  board?.open({
    online: () => connections.keys(),
    changedElsewhere: (user, online) => {
      const here = connections.has(user);
      note(user, { here, anywhere: here || !online });
    },
  });

  function note(user: Username, before: Before): void {
    if (changed.has(user)) return;
    changed.set(user, before);
    if (changed.size === 1) turn.atEnd('encode', tell);
  }

  /** What is not any more as it was before this turn. */
  function changesOf(part: keyof Before, is: (user: Username) => boolean): PresenceChange[] {
    return [...changed]
      .map(([user, before]) => ({ user, was: before[part], online: is(user) }))
      .filter(({ was, online }) => was !== online)
      .map(({ user, online }) => ({ user, online }));
  }

  function tell(): void {
    const ofHere = changesOf('here', (user) => connections.has(user));
    const events = changesOf('anywhere', isOnline).map(
      (change) => ({ type: 'presence', ...change }) as const,
    );
    changed.clear();
    if (ofHere.length > 0) board?.tell(ofHere);
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
      watcher.codec.encode([...missed].map((user) => ({ type: 'presence', user, online: isOnline(user) }))),
    );
  }

  return {
    arrived(user) {
      const count = connections.get(user) ?? 0;
      if (count === 0) note(user, { here: false, anywhere: isOnline(user) });
      connections.set(user, count + 1);
    },
    left(user) {
      const count = connections.get(user) ?? 0;
      if (count > 1) {
        connections.set(user, count - 1);
      } else if (connections.delete(user)) {
        note(user, { here: true, anywhere: true });
      }
    },
    isOnline,
    get count() {
      return connections.size;
    },
    online: () => [...new Set([...connections.keys(), ...(board?.online() ?? [])])].sort(),
    watch(peer) {
      if (peer.events && !watchers.has(peer)) watchers.set(peer, { codec: peer.events, missed: undefined });
    },
    unwatch(peer) {
      watchers.delete(peer);
    },
    stop: () => board?.close(),
  };
}
