import { feedPage, feedPageRows } from '../policy.ts';
import type { Store } from '../ports/store.ts';
import { encode, type Follower, isLive, isReading, passOn, release, turnOf } from './followers.ts';
import { isLastPage } from './pages.ts';

/** Feeds from the store whoever is new, behind, or was told out of order: each after its own position. */
export interface StoreReading {
  /** Feeds a follower until nothing is stored that it has not been given; it is live then. Never throws. */
  read(follower: Follower): Promise<void>;
  /** Feeds a follower that has fallen behind, and tells it when that begins and when it has ended. Never throws. */
  lag(follower: Follower): Promise<void>;
  figures(): StoreReadingFigures;
}

/** What was read and for whom. */
export interface StoreReadingFigures {
  /** Messages given to followers. */
  readonly deliveries: number;
  /** Followers that are behind now. */
  readonly lagging: number;
  /** How often one fell behind. */
  readonly lagged: number;
}

/** Makes the reading of one node; `onFailure` is told of a reading that failed, whose follower loses its connection. */
export function createStoreReading(
  store: Pick<Store, 'messages'>,
  onFailure: (error: unknown) => void,
): StoreReading {
  let deliveries = 0;
  let lagging = 0;
  let lagged = 0;

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

  return { read, lag, figures: () => ({ deliveries, lagging, lagged }) };
}
