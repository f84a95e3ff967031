import { inOrder, isLastPage, pagesOf } from './feed-pages.ts';
import {
  type Channel,
  caughtUp,
  encode,
  type Follower,
  groupOf,
  isLive,
  isReading,
  passOn,
  type Reader,
  release,
  type Start,
  type Taste,
  turnOf,
  wants,
} from './followers.ts';
import { createHeadWatch } from './head-watch.ts';
import { createMembershipNotes, type MembershipNote } from './membership-notes.ts';
import { readingOf } from './message-event.ts';
import type { ConversationId, UserId } from './model/ids.ts';
import type { Audience, ConversationView, StoredMessage } from './model/message.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import { feedPage, feedPageRows, maxQueuedBytes } from './policy.ts';
import type { Bus, Notice } from './ports/bus.ts';
import type { ChatFigures } from './ports/meter.ts';
import type { ConversationHead } from './ports/store/conversations.ts';
import type { Store } from './ports/store.ts';
import { createReadMarks } from './read-marks.ts';
import type { Turn } from './turn.ts';

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
  /** Told of a reading that failed; the follower's connection has been ended by then. */
  readonly onFailure: (error: unknown) => void;
}

const everything: Taste = { takes: 'all', marksRead: false };

/** Builds the feed of one node; it listens on the bus from now on. */
export function createFeed({ store, bus, turn, onFailure }: FeedParts): Feed {
  const channels = new Map<ConversationId, Channel>();
  const readers = new Map<Peer, Reader>();
  const readersByUser = new Map<Username, Set<Reader>>();
  const marks = createReadMarks(store, onFailure);
  let dirty: Channel[] = [];
  let deliveries = 0;
  let lagging = 0;
  let lagged = 0;

  const memberships = createMembershipNotes({
    store,
    readersOf: (user) => readersByUser.get(user) ?? [],
    readers: () => readers.values(),
    start: startNew,
    stop: stopMember,
    onFailure,
  });
  const heads = bus.isShared
    ? createHeadWatch({
        store,
        bus,
        conversations: () => [...channels.keys()],
        isBehind: (head) => {
          const channel = channels.get(head.conversation);
          return channel !== undefined && behind(channel, head.lastSeq) !== undefined;
        },
        onBehind: fill,
        onFailure,
      })
    : undefined;

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
    const channel = channels.get(conversation);
    if (!channel) return;
    channel.pending.push(message);
    if (channel.pending.length > 1) return;
    dirty.push(channel);
    if (dirty.length === 1) turn.atEnd('encode', deliver);
  }

  function deliver(): void {
    const now = dirty;
    dirty = [];
    for (const channel of now) deliverChannel(channel);
  }

  function deliverChannel(channel: Channel): void {
    const batch = inOrder(channel.pending);
    channel.pending = [];
    const newest = batch.at(-1);
    if (!newest) return;
    channel.lastSeq = Math.max(channel.lastSeq, newest.seq);
    // What is stored at once may be more than may wait for one reader.
    for (const page of pagesOf(batch)) deliverPage(channel, page);
  }

  function deliverPage(channel: Channel, batch: readonly StoredMessage[]): void {
    const first = batch[0];
    const last = batch.at(-1);
    if (!first || !last) return;
    const isContiguous = last.seq - first.seq === batch.length - 1;
    for (const group of channel.groups) {
      let bytes: Uint8Array | undefined;
      for (const follower of group.followers) {
        if (follower.state !== 'live' || follower.seq >= last.seq) continue;
        if (follower.peer.queuedBytes > maxQueuedBytes) {
          void lag(follower);
          continue;
        }
        if (!isContiguous || follower.seq !== first.seq - 1) {
          void read(follower);
          continue;
        }
        bytes ??= encode(group, batch);
        follower.peer.push(bytes);
        deliveries += batch.length;
        follower.seq = last.seq;
        follower.mark?.given(last.seq);
        if (follower.peer.queuedBytes > maxQueuedBytes) void lag(follower);
      }
    }
  }

  /** The live follower with the least to read up to `lastSeq`; undefined when none has anything to. */
  function behind({ pending, groups }: Channel, lastSeq: number): Follower | undefined {
    // What is handed over at the end of this turn is not missing.
    if (pending.some(({ seq }) => seq >= lastSeq)) return undefined;
    let nearest: Follower | undefined;
    for (const { followers } of groups) {
      for (const follower of followers) {
        if (!isLive(follower) || follower.seq >= lastSeq) continue;
        if (!nearest || follower.seq > nearest.seq) nearest = follower;
      }
    }
    return nearest;
  }

  /** Reads what no notice has told, once for all followers of a conversation; who needs more than that is sent to the store. */
  async function fill({ conversation, lastSeq }: ConversationHead): Promise<void> {
    for (;;) {
      const channel = channels.get(conversation);
      const nearest = channel && behind(channel, lastSeq);
      if (!nearest) return;
      const found = await store.messages({
        conversation,
        after: nearest.seq,
        limit: feedPageRows,
        maxCharacters: feedPage.characters,
      });
      if (found.length === 0) return;
      if (channels.get(conversation) !== channel) continue;
      channel.pending.push(...found);
      deliverChannel(channel);
    }
  }

  /** Feeds a follower from the store until nothing is stored that it has not been given. */
  async function read(follower: Follower): Promise<void> {
    follower.state = 'reading';
    const { reader, peer } = follower;
    try {
      while (isReading(follower)) {
        await turnOf(reader);
        try {
          await readPage(follower);
        } finally {
          passOn(reader);
        }
      }
    } catch (error) {
      if (!isReading(follower)) return;
      // What this follower missed cannot be told: better no stream than one with a hole.
      onFailure(error);
      peer.end('unavailable');
    }
  }

  /** Gives a follower one page once its connection has taken what it was given; it is live when that was all there is. */
  async function readPage(follower: Follower): Promise<void> {
    const { channel, group, peer } = follower;
    if (peer.queuedBytes > 0) await peer.drained();
    if (!isReading(follower)) return;
    const rows = await store.messages({
      conversation: channel.id,
      after: follower.seq,
      limit: feedPageRows,
      maxCharacters: feedPage.characters,
    });
    if (!isReading(follower)) return;
    const last = rows.at(-1);
    if (last) {
      peer.push(encode(group, rows));
      deliveries += rows.length;
      follower.seq = last.seq;
      follower.mark?.given(last.seq);
      if (follower.waiting.length > 0) release(follower, last.seq);
    }
    // A live batch may have passed while the store was read: then there is more to read.
    if (isLastPage(rows) && channel.lastSeq <= follower.seq) follower.state = 'live';
  }

  async function lag(follower: Follower): Promise<void> {
    const { peer, group } = follower;
    peer.push(group.codec.encode([{ type: 'lagging', to: group.reading.to }]));
    lagged += 1;
    lagging += 1;
    await read(follower);
    lagging -= 1;
    if (!isLive(follower)) return;
    peer.push(group.codec.encode([{ type: 'caught-up', to: group.reading.to, seq: follower.seq }]));
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
    if (readersByUser.has(one)) startNew(one, view(other), 0, 'told');
    if (one !== other && readersByUser.has(other)) startNew(other, view(one), 0, 'told');
  }

  /** Of an entry that is only noted nobody knows whether it came before or after its reader wanted no more of the room. */
  function startNew(
    user: Username,
    conversation: ConversationView,
    after: number,
    how: 'told' | 'noted',
  ): void {
    for (const reader of readersByUser.get(user) ?? []) {
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
    for (const reader of readers.values()) {
      if (reader.userId !== userId) continue;
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
    const channel = channelOf(conversation.id);
    const { peer, codec, userId, username, taste } = reader;
    const group = groupOf(channel, codec, readingOf(conversation.ref, username));
    const mark = taste.marksRead
      ? marks.open(peer, { conversation: conversation.id, userId }, conversation.readSeq)
      : undefined;
    // What was missed was given before the stream begins.
    mark?.given(after);
    const follower: Follower = { peer, reader, channel, group, seq: after, mark, waiting: [], state: 'live' };
    reader.followers.set(conversation.id, follower);
    group.followers.add(follower);
    // Also when there is nothing to read: only the store knows what was committed a moment ago.
    void read(follower);
  }

  function stop(reader: Reader, conversation: ConversationId): void {
    const follower = reader.followers.get(conversation);
    if (!follower) return;
    reader.followers.delete(conversation);
    follower.state = 'stopped';
    follower.mark?.close();
    release(follower, Number.POSITIVE_INFINITY);
    const { channel, group } = follower;
    group.followers.delete(follower);
    if (group.followers.size > 0) return;
    channel.groups.splice(channel.groups.indexOf(group), 1);
    if (channel.groups.length === 0) channels.delete(channel.id);
  }

  function channelOf(id: ConversationId): Channel {
    let channel = channels.get(id);
    if (!channel) {
      channel = { id, lastSeq: 0, pending: [], groups: [] };
      channels.set(id, channel);
    }
    return channel;
  }

  function readerOf(peer: Peer): Reader {
    const known = readers.get(peer);
    if (known) return known;
    const { session, events } = peer;
    if (!session || !events) throw new Error('only a logged-in connection that takes events can follow');
    const reader: Reader = {
      peer,
      userId: session.userId,
      username: session.username,
      codec: events,
      followers: new Map(),
      newOnes: 'ignored',
      taste: everything,
      held: new Map(),
      left: new Set(),
      given: new Map(),
      unwanted: new Set(),
      pages: 0,
      waiting: [],
    };
    readers.set(peer, reader);
    const ofUser = readersByUser.get(reader.username) ?? new Set();
    readersByUser.set(reader.username, ofUser.add(reader));
    return reader;
  }

  return {
    noteLeaving(peer) {
      readerOf(peer).left.clear();
    },
    follow(peer, conversation, after) {
      const reader = readerOf(peer);
      if (reader.left.has(conversation.id)) return false;
      reader.unwanted.delete(conversation.id);
      start(reader, conversation, after);
      return true;
    },
    holdNew(peer, taste = everything) {
      const reader = readerOf(peer);
      const before = { taste: reader.taste, newOnes: reader.newOnes };
      Object.assign(reader, { taste, newOnes: 'held', held: new Map() } satisfies Partial<Reader>);
      return () => {
        if (reader.newOnes !== 'held' || readers.get(peer) !== reader) return;
        const { held } = reader;
        Object.assign(reader, before, { held: new Map() });
        if (before.newOnes === 'followed') for (const one of held.values()) startWanted(reader, one);
      };
    },
    followAll(peer, starts) {
      const reader = readerOf(peer);
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
      const reader = readers.get(peer);
      if (!reader) return;
      if (conversation !== undefined) {
        stop(reader, conversation);
        if (reader.newOnes !== 'ignored') reader.unwanted.add(conversation);
        return;
      }
      for (const id of [...reader.followers.keys()]) stop(reader, id);
      readers.delete(peer);
      const ofUser = readersByUser.get(reader.username);
      ofUser?.delete(reader);
      if (ofUser?.size === 0) readersByUser.delete(reader.username);
    },
    told(peer) {
      return new Promise((resolve) => {
        // After the delivery of this turn, which only followers that are being read to miss.
        turn.atEnd('encode', () => {
          const behind = [...(readers.get(peer)?.followers.values() ?? [])].filter(
            ({ state, seq, channel }) => state === 'reading' && seq < channel.lastSeq,
          );
          Promise.all(behind.map(caughtUp)).then(() => resolve());
        });
      });
    },
    figures() {
      let followers = 0;
      for (const { groups } of channels.values())
        for (const group of groups) followers += group.followers.size;
      return { readers: readers.size, followers, lagging, lagged, deliveries };
    },
    noted(notes) {
      if (notes === 'anything') memberships.takeAnything();
      else memberships.take(notes);
    },
    stop() {
      unsubscribe();
      heads?.stop();
      memberships.stop();
      marks.stop();
    },
  };
}
