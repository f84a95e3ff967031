import type { ConversationRef, RoomName } from '../../../core/model/conversation-name.ts';
import type { DeviceId, MessageId, UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { Device, SentPage, SentPlace } from '../../../core/ports/store/own-data.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { bodyOf, fitting } from './messages.ts';
import { firstPlace, type Place, stretchAfter } from './sent-places.ts';

/** Messages that one call looks at, whoever sent them: a few milliseconds of the store's thread. */
const lookedAtOnce = 4_000;
/** What one call answers at most, in characters. */
const charactersAtOnce = 1_000_000;

const devicesOf = statement((db, p: { userId: string; after: string; limit: number }) =>
  db
    .selectFrom('devices')
    .select(['id', 'label', 'created_at'])
    .where('user_id', '=', p.userId)
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(p.limit),
);
const sentIn = statement(
  (db, p: { conversation: number; after: number; upTo: number; senderId: string; limit: number }) =>
    db
      .selectFrom('messages')
      .select(['seq', 'id', 'sent_at', 'body', 'envelope'])
      .where('conversation_id', '=', p.conversation)
      .where('seq', '>', p.after)
      .where('seq', '<=', p.upTo)
      .where('sender_id', '=', p.senderId)
      .orderBy('seq')
      .limit(p.limit),
);
const directWith = statement((db, p: { userId: string; peer: string }) =>
  db
    .selectFrom('users')
    .innerJoin('conversations', (join) =>
      join.on((e) =>
        e.or([
          e.and([e('low_user_id', '=', p.userId), e('high_user_id', '=', e.ref('users.id'))]),
          e.and([e('high_user_id', '=', p.userId), e('low_user_id', '=', e.ref('users.id'))]),
        ]),
      ),
    )
    .select('conversations.id')
    .where('username', '=', p.peer),
);
const peerOf = statement((db, p: { id: number }) =>
  db
    .selectFrom('conversations')
    .innerJoin('users as low', 'low.id', 'low_user_id')
    .innerJoin('users as high', 'high.id', 'high_user_id')
    .select(['low_user_id', 'low.username as low_name', 'high.username as high_name'])
    .where('conversations.id', '=', p.id),
);

/** Store.devices */
export function* devices(page: { userId: UserId; after: string; limit: number }): Query<Device[]> {
  return (yield* rows(devicesOf, page)).map((row) => ({
    id: row.id as DeviceId,
    label: row.label,
    createdAt: row.created_at,
  }));
}

/** Store.sentMessages */
export function* sentMessages(query: {
  userId: UserId;
  after: SentPlace | undefined;
  limit: number;
}): Query<SentPage> {
  const { userId, limit } = query;
  const messages: Array<SentPage['messages'][number]> = [];
  let place = yield* placeOf(userId, query.after);
  for (let left = lookedAtOnce; left > 0; ) {
    const stretch = yield* stretchAfter(userId, place, left);
    if (!stretch) return { messages, next: undefined };
    const { conversation, after, upTo } = stretch;
    const ref = yield* refOf(userId, stretch.place);
    const wanted = limit - messages.length;
    const found = yield* rows(sentIn, { conversation, after, upTo, senderId: userId, limit: wanted });
    const page = found.slice(0, fitting(found, charactersAtOnce));
    for (const row of page) {
      messages.push({ ref, seq: row.seq, id: row.id as MessageId, sentAt: row.sent_at, body: bodyOf(row) });
    }
    const last = page.at(-1);
    // Cut short: the next call goes on after the last one that is answered.
    if (last && (page.length < found.length || found.length === wanted)) {
      return { messages, next: { ref, seq: last.seq } };
    }
    place = stretch.place;
    // A conversation costs something too, however few messages it has.
    left -= Math.max(upTo - after, 40);
  }
  return { messages, next: { ref: yield* refOf(userId, place), seq: place.seq } };
}

function* placeOf(userId: UserId, after: SentPlace | undefined): Query<Place> {
  if (after === undefined) return firstPlace;
  const { ref, seq } = after;
  if (ref.kind === 'room') return { kind: 'room', room: ref.room, seq };
  const found = yield* first(directWith, { userId, peer: ref.peer });
  // Nobody's place but that of somebody who made it up: there is nothing after it.
  return { kind: 'direct', id: found?.id ?? Number.MAX_SAFE_INTEGER, seq };
}

function* refOf(userId: UserId, place: Place): Query<ConversationRef> {
  if (place.kind === 'room') return { kind: 'room', room: place.room as RoomName };
  const row = yield* first(peerOf, { id: place.id });
  if (!row) throw new Error(`conversation ${place.id} is missing`);
  const peer = (row.low_user_id === userId ? row.high_name : row.low_name) as Username;
  return { kind: 'direct', peer };
}
