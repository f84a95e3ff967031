import type { Username } from '../../core/model/username.ts';
import type { NodeId, PresenceNews } from '../../core/ports/bus.ts';
import type { PresenceBoard, PresenceChange, PresenceNode } from '../../core/ports/presence-board.ts';
import { randomBytes } from '../../core/random.ts';

/** How nodes tell each other who is online. What one node tells arrives in its order; any of it may be lost. */
export interface PresenceChannel {
  /** Tells every other node. Never throws and never waits. */
  tell(node: NodeId, news: PresenceNews): void;
  /** Calls `listener` for what the others tell; answers a function that stops it. */
  listen(listener: (node: NodeId, news: PresenceNews) => void): () => void;
  /** Calls `listener` when something may have been lost; answers a function that stops it. */
  onDoubt(listener: () => void): () => void;
}

/** How often a node says that it lives. */
const beatMs = 3_000;
/** A node that was not heard for so long is dead: with the beat that looks for it, less than 15 s. */
const deadMs = 11_000;
/** How often the whole is asked of one node, or told, at most: what is asked meanwhile is answered together. */
const wholeMs = 1_000;
/** Names in one piece of the whole: about 20 kB. */
const pieceUsers = 1_000;

/** Another node as it is known here. */
interface Known {
  users: Set<Username>;
  /** The last of its changes that is in `users`; undefined while the whole is missing. */
  at: number | undefined;
  heardAt: number;
  askedAt: number;
  /** The whole, as far as it has come. */
  pieces: { readonly at: number; readonly next: number; readonly users: Set<Username> } | undefined;
}

/**
 * Knows who is online on the other nodes: only changes travel, each with its number. Who has missed one asks for the whole; so does who
 * hears of a node for the first time, or of other numbers than it has. A node that stops says so; one that dies is missed within 15 s.
 */
export function sharedPresence(channel: PresenceChannel): PresenceBoard {
  const own = Buffer.from(randomBytes(12)).toString('base64url') as NodeId;
  const nodes = new Map<NodeId, Known>();
  /** On how many other nodes somebody is online. */
  const counts = new Map<Username, number>();
  let shown: PresenceNode | undefined;
  let at = 0;
  let wholeToldAt = Number.NEGATIVE_INFINITY;
  let wholeTimer: ReturnType<typeof setTimeout> | undefined;
  let beatAt = 0;
  let clock: ReturnType<typeof setInterval> | undefined;
  let stops: (() => void)[] = [];

  function come(user: Username): void {
    const count = counts.get(user) ?? 0;
    counts.set(user, count + 1);
    if (count === 0) shown?.changedElsewhere(user, true);
  }

  function go(user: Username): void {
    const count = counts.get(user) ?? 0;
    if (count > 1) counts.set(user, count - 1);
    else if (counts.delete(user)) shown?.changedElsewhere(user, false);
  }

  /** Makes `users` the whole of a node; who stays does not change. */
  function replace(known: Known, users: Set<Username>): void {
    const before = known.users;
    known.users = users;
    for (const user of users) if (!before.has(user)) come(user);
    for (const user of before) if (!users.has(user)) go(user);
  }

  function ask(node: NodeId, known: Known): void {
    known.at = undefined;
    const now = Date.now();
    if (Math.abs(now - known.askedAt) < wholeMs) return;
    known.askedAt = now;
    channel.tell(own, { kind: 'ask', of: node });
  }

  function forget(node: NodeId): void {
    const known = nodes.get(node);
    if (!known) return;
    nodes.delete(node);
    replace(known, new Set());
  }

  function onChanges(node: NodeId, known: Known, news: Extract<PresenceNews, { kind: 'changes' }>): void {
    if (known.at !== undefined && news.at <= known.at) return;
    if (known.at === undefined || news.at !== known.at + 1) {
      ask(node, known);
      return;
    }
    known.at = news.at;
    for (const user of news.came) {
      if (known.users.has(user)) continue;
      known.users.add(user);
      come(user);
    }
    for (const user of news.left) if (known.users.delete(user)) go(user);
  }

  function onWhole(known: Known, news: Extract<PresenceNews, { kind: 'whole' }>): void {
    if (known.at !== undefined && news.at < known.at) return;
    const begun = news.piece === 0 ? { at: news.at, next: 0, users: new Set<Username>() } : known.pieces;
    known.pieces = undefined;
    if (begun?.next !== news.piece || begun.at !== news.at) return;
    for (const user of news.users) begun.users.add(user);
    if (news.piece + 1 < news.pieces) {
      known.pieces = { ...begun, next: news.piece + 1 };
      return;
    }
    known.at = news.at;
    replace(known, begun.users);
  }

  function hear(node: NodeId, news: PresenceNews): void {
    if (node === own) return;
    if (news.kind === 'ask') {
      if (news.of === undefined || news.of === own) tellWholeSoon();
      return;
    }
    if (news.kind === 'gone') {
      forget(node);
      return;
    }
    const now = Date.now();
    const known = nodes.get(node) ?? {
      users: new Set(),
      at: undefined,
      heardAt: now,
      askedAt: Number.NEGATIVE_INFINITY,
      pieces: undefined,
    };
    nodes.set(node, known);
    known.heardAt = now;
    if (news.kind === 'changes') onChanges(node, known, news);
    else if (news.kind === 'whole') onWhole(known, news);
    else if (news.at !== known.at || news.users !== known.users.size) ask(node, known);
  }

  function tellWholeSoon(): void {
    if (wholeTimer) return;
    const sinceMs = Math.abs(Date.now() - wholeToldAt);
    wholeTimer = setTimeout(tellWhole, Math.max(0, wholeMs - sinceMs));
  }

  function tellWhole(): void {
    wholeTimer = undefined;
    wholeToldAt = Date.now();
    const users = [...told];
    const pieces = Math.max(1, Math.ceil(users.length / pieceUsers));
    for (let piece = 0; piece < pieces; piece++) {
      const from = piece * pieceUsers;
      channel.tell(own, { kind: 'whole', at, piece, pieces, users: users.slice(from, from + pieceUsers) });
    }
  }

  /** Who is online here as far as it was told: a change of this turn is told at its end, with the next number. */
  const told = new Set<Username>();

  function beat(): void {
    const now = Date.now();
    // Of a process that was held up, or whose clock was set, nobody knows how long it has not heard the others.
    if (Math.abs(now - beatAt) > 2 * beatMs) for (const known of nodes.values()) known.heardAt = now;
    beatAt = now;
    channel.tell(own, { kind: 'beat', at, users: told.size });
    for (const [node, { heardAt }] of nodes) if (now - heardAt >= deadMs) forget(node);
  }

  /** Says the whole and asks for it: everybody may have missed something. */
  function begin(): void {
    channel.tell(own, { kind: 'ask', of: undefined });
    tellWholeSoon();
  }

  return {
    open(node) {
      shown = node;
      for (const user of node.online()) told.add(user);
      beatAt = Date.now();
      stops = [channel.listen(hear), channel.onDoubt(begin)];
      clock = setInterval(beat, beatMs);
      begin();
    },
    tell(changes: readonly PresenceChange[]) {
      if (!clock) return;
      at += 1;
      for (const { user, online } of changes) {
        if (online) told.add(user);
        else told.delete(user);
      }
      channel.tell(own, {
        kind: 'changes',
        at,
        came: changes.filter(({ online }) => online).map(({ user }) => user),
        left: changes.filter(({ online }) => !online).map(({ user }) => user),
      });
    },
    isOnline: (user) => counts.has(user),
    online: () => counts.keys(),
    get nodes() {
      return nodes.size;
    },
    close() {
      if (!clock) return;
      clearInterval(clock);
      clearTimeout(wholeTimer);
      clock = undefined;
      for (const stop of stops) stop();
      channel.tell(own, { kind: 'gone' });
    },
  };
}
