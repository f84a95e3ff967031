import { readingOf } from '../message-event.ts';
import type { ConversationId } from '../model/ids.ts';
import type { ConversationView, StoredMessage } from '../model/message.ts';
import { feedPage, feedPageRows, maxQueuedBytes } from '../policy.ts';
import type { Bus } from '../ports/bus.ts';
import type { ConversationHead } from '../ports/store/conversations.ts';
import type { Store } from '../ports/store.ts';
import type { Turn } from '../turn.ts';
import { type Channel, encode, type Follower, groupOf, isLive, type Reader, release } from './followers.ts';
import { createHeadWatch } from './head-watch.ts';
import { inOrder, pagesOf } from './pages.ts';
import type { ReadMark } from './read-marks.ts';
import { createStoreReading, type StoreReadingFigures } from './store-reading.ts';

/** Gives followers what is said: at the end of a turn what was told in it, and from the store what they lack besides. */
export interface Delivery {
  /** Takes a message that was stored; whoever is live and ready for it has it at the end of this turn. */
  take(conversation: ConversationId, message: StoredMessage): void;
  /** Gives a reader what a conversation has after `after`, and what is said in it from now on, until `close`. */
  open(reader: Reader, conversation: ConversationView, after: number, mark: ReadMark | undefined): Follower;
  /** Gives nothing more, and tells who waits for it. */
  close(follower: Follower): void;
  figures(): DeliveryFigures;
  /** Stops looking after notices that were lost. */
  stop(): void;
}

/** Who is given messages, and how many were. */
export interface DeliveryFigures extends StoreReadingFigures {
  readonly followers: number;
}

/** What a delivery needs. */
export interface DeliveryParts {
  readonly store: Pick<Store, 'messages' | 'heads'>;
  readonly bus: Bus;
  readonly turn: Turn;
  readonly onFailure: (error: unknown) => void;
}

/** Makes the delivery of one node. */
export function createDelivery({ store, bus, turn, onFailure }: DeliveryParts): Delivery {
  const channels = new Map<ConversationId, Channel>();
  const reading = createStoreReading(store, onFailure);
  let dirty: Channel[] = [];
  let deliveries = 0;

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
          void reading.lag(follower);
          continue;
        }
        if (!isContiguous || follower.seq !== first.seq - 1) {
          void reading.read(follower);
          continue;
        }
        bytes ??= encode(group, batch);
        follower.peer.push(bytes);
        deliveries += batch.length;
        follower.seq = last.seq;
        follower.mark?.given(last.seq);
        if (follower.peer.queuedBytes > maxQueuedBytes) void reading.lag(follower);
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

  function channelOf(id: ConversationId): Channel {
    let channel = channels.get(id);
    if (!channel) {
      channel = { id, lastSeq: 0, pending: [], groups: [] };
      channels.set(id, channel);
    }
    return channel;
  }

  return {
    take(conversation, message) {
      const channel = channels.get(conversation);
      if (!channel) return;
      channel.pending.push(message);
      if (channel.pending.length > 1) return;
      dirty.push(channel);
      if (dirty.length === 1) turn.atEnd('encode', deliver);
    },
    open(reader, conversation, after, mark) {
      const channel = channelOf(conversation.id);
      const { peer, codec, username } = reader;
      const group = groupOf(channel, codec, readingOf(conversation.ref, username));
      const follower: Follower = {
        peer,
        reader,
        channel,
        group,
        seq: after,
        mark,
        waiting: [],
        state: 'live',
      };
      group.followers.add(follower);
      // Also when there is nothing to read: only the store knows what was committed a moment ago.
      void reading.read(follower);
      return follower;
    },
    close(follower) {
      follower.state = 'stopped';
      follower.mark?.close();
      release(follower, Number.POSITIVE_INFINITY);
      const { channel, group } = follower;
      group.followers.delete(follower);
      if (group.followers.size > 0) return;
      channel.groups.splice(channel.groups.indexOf(group), 1);
      if (channel.groups.length === 0) channels.delete(channel.id);
    },
    figures() {
      let followers = 0;
      for (const { groups } of channels.values())
        for (const group of groups) followers += group.followers.size;
      const read = reading.figures();
      return { ...read, followers, deliveries: deliveries + read.deliveries };
    },
    stop() {
      heads?.stop();
    },
  };
}
