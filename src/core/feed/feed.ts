import type { ConversationId, UserId } from '../model/ids.ts';
import type { Audience, ConversationView } from '../model/message.ts';
import type { Username } from '../model/username.ts';
import type { Peer } from '../peer.ts';
import type { Bus, Notice } from '../ports/bus.ts';
import type { ChatFigures } from '../ports/meter.ts';
import type { Store } from '../ports/store.ts';
import type { Turn } from '../turn.ts';
import { createDelivery } from './delivery.ts';
import { caughtUp, everything, type Reader, type Start, type Taste, wants } from './followers.ts';
import { createMembershipNotes, type MembershipNote } from './membership-notes.ts';
import { createReadMarks } from './read-marks.ts';
import { createReaders } from './readers.ts';

/**
 * The live stream: what was stored after a reader's position, then what is stored from now on, in seq order,
 * without gap or repeat (protocol, "conversation.follow").
 *
 * The rule that makes it so is local to a follower: `seq` is the last message that it was given. A batch that
 * begins at `seq + 1` is handed over as it is, a shared buffer; anything else sends the follower to the store for
 * what comes after `seq`. So a lost notice, a slow reader and a new reader all take the same road.
 */
export interface Feed {
  /** Remembers what `peer`'s user leaves from now on: a question to the store may be answered after that. */
  noteLeaving(peer: Peer): void;
  /**
   * Starts `peer` on one conversation after `after`, in place of what it followed there before.
   * False, and not started, when its user has left that since `noteLeaving`.
   */
  follow(peer: Peer, conversation: ConversationView, after: number): boolean;
  /**
   * Remembers what begins for `peer`'s user from now on, until `followAll` says where the rest starts. Answers a function for
   * when that does not come to pass: new conversations are then treated as they were before, those of the meantime too.
   */
  holdNew(peer: Peer, taste?: Taste): () => void;
  /**
   * Starts `peer` on these conversations, on what began since `holdNew`, and on each that begins later.
   * Answers those of `starts` that its user has not left since `noteLeaving`.
   */
  followAll(peer: Peer, starts: readonly Start[]): Start[];
  /** Stops one conversation, or all of them and the new ones. */
  unfollow(peer: Peer, conversation?: ConversationId): void;
  /** Resolves when `peer` has been given what was stored before now in what it follows, or follows it no more. */
  told(peer: Peer): Promise<void>;
  /** Takes over what the store has noted of who entered and left; it may have been told before. */
  noted(notes: readonly MembershipNote[] | 'anything'): void;
  /** Who follows, and what they were given. */
  figures(): FeedFigures;
  /** Stops listening to the bus. */
  stop(): void;
}

/** The feed's part of what a node has open and has done. */
export type FeedFigures = Pick<ChatFigures, 'readers' | 'followers' | 'lagging' | 'lagged' | 'deliveries'>;

/** What a feed needs from its surroundings. */
export interface FeedParts {
  readonly store: Pick<Store, 'messages' | 'markRead' | 'heads' | 'conversation' | 'conversations'>;
  readonly bus: Bus;
  readonly turn: Turn;
  /** Told of what the store failed at; a follower that could not be fed for that loses its connection. */
  readonly onFailure: (error: unknown) => void;
}

/** Builds the feed of one node; it listens on the bus from now on. */
export function createFeed({ store, bus, turn, onFailure }: FeedParts): Feed {
  const readers = createReaders();
  const marks = createReadMarks(store, onFailure);
  const delivery = createDelivery({ store, bus, turn, onFailure });
  const memberships = createMembershipNotes({
    store,
    readersOf: (user) => readers.ofUser(user) ?? [],
    readers: readers.all,
    start: startNew,
    stop: stopMember,
    onFailure,
  });

  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type === 'message') onMessage(notice);
    else if (notice.type === 'member-joined' || notice.type === 'member-left') onMembership(notice);
  });

  function onMembership({
    type,
    userId,
    user,
    conversation,
  }: Extract<Notice, { type: 'member-joined' | 'member-left' }>): void {
    if (bus.isShared) {
      // Of two nodes' notices nobody knows which was first: the store does.
      memberships.told({
        kind: type === 'member-joined' ? 'joined' : 'left',
        userId,
        username: user,
        conversation,
      });
    } else if (type === 'member-left') stopMember(userId, conversation.id);
    // The marker stands where the room stood at the entry; more may have been said since.
    else startNew(user, conversation, conversation.readSeq, 'told');
  }

  function onMessage(notice: Extract<Notice, { type: 'message' }>): void {
    const { conversation, message, audience } = notice;
    if (audience.kind === 'direct') startDirect(conversation, audience, message.seq);
    delivery.take(conversation, message);
  }

  function startDirect(
    id: ConversationId,
    audience: Extract<Audience, { kind: 'direct' }>,
    seq: number,
  ): void {
    const [one, other] = audience.users;
    const view = (peer: Username): ConversationView => ({
      id,
      ref: { kind: 'direct', peer },
      lastSeq: seq,
      readSeq: 0,
    });
    // After 0: what a reader of everything does not follow yet has begun since, and its first notices may be lost or late.
    if (readers.ofUser(one)) startNew(one, view(other), 0, 'told');
    if (one !== other && readers.ofUser(other)) startNew(other, view(one), 0, 'told');
  }

  /** Of an entry that is only noted nobody knows whether it came before or after its reader wanted no more of the room. */
  function startNew(
    user: Username,
    conversation: ConversationView,
    after: number,
    how: 'told' | 'noted',
  ): void {
    for (const reader of readers.ofUser(user) ?? []) {
      if (!wants(reader.taste, conversation.ref)) continue;
      if (conversation.ref.kind === 'room') entered(reader, conversation.id, how);
      if (reader.newOnes === 'followed') startWanted(reader, { conversation, after });
      else if (reader.newOnes === 'held' && !reader.held.has(conversation.id)) {
        reader.held.set(conversation.id, { conversation, after });
      }
    }
  }

  function startWanted(reader: Reader, { conversation, after }: Start): void {
    if (reader.followers.has(conversation.id) || reader.unwanted.has(conversation.id)) return;
    // Of an entry that is heard of late, after the next leave, what was given then is not given again.
    start(reader, conversation, Math.max(after, reader.given.get(conversation.id) ?? 0));
  }

  function stopMember(userId: UserId, conversation: ConversationId): void {
    for (const reader of readers.ofAccount(userId)) {
      const follower = reader.followers.get(conversation);
      if (follower) reader.given.set(conversation, follower.seq);
      stop(reader, conversation);
      reader.held.delete(conversation);
      reader.left.add(conversation);
    }
  }

  function entered(reader: Reader, conversation: ConversationId, how: 'told' | 'noted'): void {
    reader.left.delete(conversation);
    if (how === 'told') reader.unwanted.delete(conversation);
  }

  function start(reader: Reader, conversation: ConversationView, after: number): void {
    stop(reader, conversation.id);
    const { peer, userId, taste } = reader;
    const mark = taste.marksRead
      ? marks.open(peer, { conversation: conversation.id, userId }, conversation.readSeq)
      : undefined;
    // What was missed was given before the stream begins.
    mark?.given(after);
    reader.followers.set(conversation.id, delivery.open(reader, conversation, after, mark));
  }

  function stop(reader: Reader, conversation: ConversationId): void {
    const follower = reader.followers.get(conversation);
    if (!follower) return;
    reader.followers.delete(conversation);
    delivery.close(follower);
  }

  return {
    noteLeaving(peer) {
      readers.of(peer).left.clear();
    },
    follow(peer, conversation, after) {
      const reader = readers.of(peer);
      if (reader.left.has(conversation.id)) return false;
      reader.unwanted.delete(conversation.id);
      start(reader, conversation, after);
      return true;
    },
    holdNew(peer, taste = everything) {
      const reader = readers.of(peer);
      const before = { taste: reader.taste, newOnes: reader.newOnes };
      Object.assign(reader, { taste, newOnes: 'held', held: new Map() } satisfies Partial<Reader>);
      return () => {
        if (reader.newOnes !== 'held' || readers.known(peer) !== reader) return;
        const { held } = reader;
        Object.assign(reader, before, { held: new Map() });
        if (before.newOnes === 'followed') for (const one of held.values()) startWanted(reader, one);
      };
    },
    followAll(peer, starts) {
      const reader = readers.of(peer);
      reader.unwanted.clear();
      const begun = starts.filter(({ conversation }) => !reader.left.has(conversation.id));
      for (const { conversation, after } of begun) start(reader, conversation, after);
      const known = new Set(starts.map(({ conversation }) => conversation.id));
      for (const [id, { conversation, after }] of reader.held) {
        if (!known.has(id)) start(reader, conversation, after);
      }
      reader.held = new Map();
      reader.newOnes = 'followed';
      return begun;
    },
    unfollow(peer, conversation) {
      const reader = readers.known(peer);
      if (!reader) return;
      if (conversation !== undefined) {
        stop(reader, conversation);
        if (reader.newOnes !== 'ignored') reader.unwanted.add(conversation);
        return;
      }
      for (const id of [...reader.followers.keys()]) stop(reader, id);
      readers.forget(reader);
    },
    told(peer) {
      return new Promise((resolve) => {
        // After the delivery of this turn, which only followers that are being read to miss.
        turn.atEnd('encode', () => {
          const behind = [...(readers.known(peer)?.followers.values() ?? [])].filter(
            ({ state, seq, channel }) => state === 'reading' && seq < channel.lastSeq,
          );
          Promise.all(behind.map(caughtUp)).then(() => resolve());
        });
      });
    },
    figures() {
      return { readers: readers.count(), ...delivery.figures() };
    },
    noted(notes) {
      if (notes === 'anything') memberships.takeAnything();
      else memberships.take(notes);
    },
    stop() {
      unsubscribe();
      delivery.stop();
      memberships.stop();
      marks.stop();
    },
  };
}
