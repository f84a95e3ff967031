import type { EventCodec } from './events.ts';
import { messageEvent, type Reading } from './message-event.ts';
import type { ConversationId } from './model/ids.ts';
import type { StoredMessage } from './model/message.ts';
import type { Peer } from './peer.ts';
import { feedPage, feedPageRows } from './policy.ts';
import type { Store } from './ports/store.ts';

/** A stretch of one conversation that its reader has missed: the messages with `after < seq <= upTo`. */
export interface MissedStretch {
  readonly conversation: ConversationId;
  readonly reading: Reading;
  readonly after: number;
  readonly upTo: number;
}

interface Cursor {
  readonly stretch: MissedStretch;
  /** The last message that was read from the store. */
  seq: number;
  rows: StoredMessage[];
  next: number;
}

/**
 * Sends what was missed in several conversations as `message` events, oldest first over all of them and by `seq` within each,
 * as fast as the connection takes them. Answers how many; fewer when the connection has gone.
 */
export async function sendMissed(
  store: Pick<Store, 'messages'>,
  peer: Peer,
  codec: EventCodec,
  stretches: readonly MissedStretch[],
): Promise<number> {
  const cursors = stretches
    .filter(({ after, upTo }) => after < upTo)
    .map((stretch): Cursor => ({ stretch, seq: stretch.after, rows: [], next: 0 }));
  // One page over all of them, so that memory per reader is bounded.
  const share = Math.max(cursors.length, 1);
  const page = {
    limit: Math.ceil(feedPageRows / share),
    maxCharacters: Math.ceil(feedPage.characters / share),
  };
  let open = cursors;
  let count = 0;
  for (;;) {
    await Promise.all(open.filter(isEmpty).map((cursor) => load(store, cursor, page)));
    open = open.filter((cursor) => !isEmpty(cursor));
    if (open.length === 0 || peer.isGone) return count;
    const events = takeUntilEmpty(open);
    count += events.length;
    peer.push(codec.encode(events));
    await peer.drained();
  }
}

/** The oldest messages of all cursors, until one of them must read on. */
function takeUntilEmpty(cursors: readonly Cursor[]) {
  const events = [];
  for (;;) {
    let oldest: Cursor | undefined;
    for (const cursor of cursors) {
      if (isEmpty(cursor)) return events;
      if (!oldest || head(cursor) < head(oldest)) oldest = cursor;
    }
    const message = oldest?.rows[oldest.next];
    if (!oldest || !message) return events;
    events.push(messageEvent(oldest.stretch.reading, message));
    oldest.next += 1;
  }
}

async function load(
  store: Pick<Store, 'messages'>,
  cursor: Cursor,
  page: { limit: number; maxCharacters: number },
): Promise<void> {
  const { conversation, upTo } = cursor.stretch;
  cursor.rows = await store.messages({ conversation, after: cursor.seq, before: upTo + 1, ...page });
  cursor.next = 0;
  cursor.seq = cursor.rows.at(-1)?.seq ?? cursor.seq;
}

function isEmpty({ rows, next }: Cursor): boolean {
  return next >= rows.length;
}

function head({ rows, next }: Cursor): number {
  return rows[next]?.sentAt ?? 0;
}
