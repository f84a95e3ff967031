import { lobby, type RoomName } from '../../../core/model/conversation-name.ts';
import type { UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { RoomSummary } from '../../../core/ports/store/rooms.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { isLive } from './conversations.ts';
import type { Memory } from './memory.ts';

const byName = statement((db, p: { room: string }) =>
  db.selectFrom('conversations').select(['id', 'last_seq']).where('room', '=', p.room),
);
const insertRoom = statement((db, p: { room: string; now: number }) =>
  db
    .insertInto('conversations')
    .values({ room: p.room, last_seq: 0, latest_at: 0, created_at: p.now } as never),
);
const membership = statement((db, p: { id: number; userId: string }) =>
  db
    .selectFrom('members')
    .select('read_seq')
    .where('conversation_id', '=', p.id)
    .where('user_id', '=', p.userId),
);
const insertMember = statement((db, p: { id: number; userId: string; readSeq: number; now: number }) =>
  db
    .insertInto('members')
    .values({ conversation_id: p.id, user_id: p.userId, read_seq: p.readSeq, joined_at: p.now }),
);
const deleteMember = statement((db, p: { id: number; userId: string }) =>
  db.deleteFrom('members').where('conversation_id', '=', p.id).where('user_id', '=', p.userId),
);
const listed = statement((db, p: { userId: string; after: string; limit: number }) =>
  db
    .selectFrom('conversations')
    .select((e) => [
      'room',
      'last_seq',
      e
        .selectFrom('members')
        .select((m) => m.fn.countAll<number>().as('count'))
        .whereRef('members.conversation_id', '=', 'conversations.id')
        .as('member_count'),
      e
        .selectFrom('members')
        .select('user_id')
        .whereRef('members.conversation_id', '=', 'conversations.id')
        .where('user_id', '=', p.userId)
        .as('own'),
    ])
    .where('room', '>', p.after)
    .orderBy('room')
    .limit(p.limit),
);
const memberNames = statement((db, p: { id: number; after: string; limit: number }) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('username')
    .where('conversation_id', '=', p.id)
    .where('username', '>', p.after)
    .orderBy('username')
    .limit(p.limit),
);

/** Store.createRoom */
export function* createRoom({
  room,
  by,
  now,
}: {
  room: RoomName;
  by: UserId;
  now: number;
}): Query<'created' | 'taken'> {
  if (yield* first(byName, { room })) return 'taken';
  yield* rows(insertRoom, { room, now });
  yield* joinRoom({ room, userId: by, now });
  return 'created';
}

/** Store.joinRoom */
export function* joinRoom({
  room,
  userId,
  now,
}: {
  room: RoomName;
  userId: UserId;
  now: number;
}): Query<'joined' | 'already' | 'missing'> {
  const found = yield* first(byName, { room });
  if (!found) return 'missing';
  if (yield* first(membership, { id: found.id, userId })) return 'already';
  if (!(yield* isLive(userId))) return 'missing';
  yield* rows(insertMember, { id: found.id, userId, readSeq: found.last_seq, now });
  return 'joined';
}

/** Store.leaveRoom */
export function* leaveRoom(
  { room, userId }: { room: RoomName; userId: UserId },
  memory: Memory,
): Query<'left' | 'not-member' | 'missing' | 'stays'> {
  if (room === lobby) return 'stays';
  const found = yield* first(byName, { room });
  if (!found) return 'missing';
  if (!(yield* first(membership, { id: found.id, userId }))) return 'not-member';
  yield* rows(deleteMember, { id: found.id, userId });
  memory.forgetSender(userId);
  return 'left';
}

/** Store.rooms */
export function* rooms(query: { userId: UserId; after: string; limit: number }): Query<RoomSummary[]> {
  return (yield* rows(listed, query)).map((row) => ({
    room: row.room as RoomName,
    members: row.member_count ?? 0,
    isMember: row.own !== null,
    lastSeq: row.last_seq,
  }));
}

/** Store.roomMembers */
export function* roomMembers({
  room,
  after,
  limit,
}: {
  room: RoomName;
  after: string;
  limit: number;
}): Query<Username[] | undefined> {
  const found = yield* first(byName, { room });
  if (!found) return undefined;
  return (yield* rows(memberNames, { id: found.id, after, limit })).map((row) => row.username as Username);
}
