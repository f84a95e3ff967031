import type { EventCodec } from '../events.ts';
import { messageEvent, type Reading } from '../message-event.ts';
import { type ConversationRef, isLobby } from '../model/conversation-name.ts';
import type { ConversationId, UserId } from '../model/ids.ts';
import type { ConversationView, StoredMessage } from '../model/message.ts';
import type { Username } from '../model/username.ts';
import type { Peer } from '../peer.ts';
import { feedPage } from '../policy.ts';
import type { ReadMark } from './read-marks.ts';

/** A conversation and the seq after which its stream begins. */
export interface Start {
  readonly conversation: ConversationView;
  readonly after: number;
}

/** What a reader of everything wants. */
export interface Taste {
  readonly takes: 'all' | 'lobby-and-direct';
  /** True when what the connection takes counts as read. */
  readonly marksRead: boolean;
}

/** That of a reader who has said nothing. */
export const everything: Taste = { takes: 'all', marksRead: false };

/** Followers that get the very same bytes: one codec, one name for the conversation. */
export interface Group {
  readonly codec: EventCodec;
  readonly reading: Reading;
  readonly followers: Set<Follower>;
}

/** One conversation that somebody on this node follows. */
export interface Channel {
  readonly id: ConversationId;
  /** The highest seq that a live batch has ended with; 0 before the first. */
  lastSeq: number;
  pending: StoredMessage[];
  readonly groups: Group[];
}

/** One connection's place in one conversation. */
export interface Follower {
  readonly peer: Peer;
  readonly reader: Reader;
  readonly channel: Channel;
  readonly group: Group;
  /** The last message given to this follower. */
  seq: number;
  readonly mark: ReadMark | undefined;
  /** Who waits until `seq` has come so far. */
  waiting: ReadonlyArray<{ readonly seq: number; readonly resolve: () => void }>;
  state: 'live' | 'reading' | 'stopped';
}

/** One connection that follows anything. */
export interface Reader {
  readonly peer: Peer;
  readonly userId: UserId;
  readonly username: Username;
  readonly codec: EventCodec;
  readonly followers: Map<ConversationId, Follower>;
  /** What to do with a conversation that begins: nothing, remember it, or follow it. */
  newOnes: 'ignored' | 'held' | 'followed';
  taste: Taste;
  held: Map<ConversationId, Start>;
  /** What its user has left since `noteLeaving`. */
  readonly left: Set<ConversationId>;
  /** The last message that it was given of what its user has left. */
  readonly given: Map<ConversationId, number>;
  /** What this connection does not want to follow, though it follows what begins. */
  readonly unwanted: Set<ConversationId>;
  /** Pages that are being read for it, and what waits to read one, in order: each conversation has its turn. */
  pages: number;
  readonly waiting: Array<() => void>;
}

/** Resolves when a page may be read for a connection: few at a time, since each waits in memory until it is taken. */
export function turnOf(reader: Reader): Promise<void> | undefined {
  if (reader.pages < feedPage.atOnce) {
    reader.pages += 1;
    return undefined;
  }
  return new Promise((resolve) => reader.waiting.push(resolve));
}

/** Gives the turn to who waited longest. */
export function passOn(reader: Reader): void {
  const next = reader.waiting.shift();
  if (next) next();
  else reader.pages -= 1;
}

/** True while what is stored now goes to it at once. A function, so that nobody believes that `state` stays across an await. */
export function isLive(follower: Follower): boolean {
  return follower.state === 'live' && !follower.peer.isGone;
}

/** True while it is fed from the store. */
export function isReading(follower: Follower): boolean {
  return follower.state === 'reading' && !follower.peer.isGone;
}

/** Resolves when it has been given what its conversation ends with now. */
export function caughtUp(follower: Follower): Promise<void> {
  const seq = follower.channel.lastSeq;
  return new Promise((resolve) => {
    follower.waiting = [...follower.waiting, { seq, resolve }];
  });
}

/** Tells who waits that it has been given everything up to `seq`. */
export function release(follower: Follower, seq: number): void {
  for (const waiter of follower.waiting) if (waiter.seq <= seq) waiter.resolve();
  follower.waiting = follower.waiting.filter((waiter) => waiter.seq > seq);
}

/** True when a reader of this taste is given what is said in a conversation. */
export function wants({ takes }: Taste, ref: ConversationRef): boolean {
  return takes === 'all' || ref.kind === 'direct' || isLobby(ref);
}

/** The followers of a channel that read it alike; made when there are none yet. */
export function groupOf(channel: Channel, codec: EventCodec, reading: Reading): Group {
  const known = channel.groups.find((group) => group.codec === codec && group.reading.to === reading.to);
  if (known) return known;
  const group: Group = { codec, reading, followers: new Set() };
  channel.groups.push(group);
  return group;
}

/** Messages as the bytes that all of a group get. */
export function encode({ codec, reading }: Group, messages: readonly StoredMessage[]): Uint8Array {
  return codec.encode(messages.map((message) => messageEvent(reading, message)));
}
