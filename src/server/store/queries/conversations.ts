import type { ConversationRef, RoomName } from '../../../core/model/conversation-name.ts';
import type { ConversationId, UserId } from '../../../core/model/ids.ts';
import type { Audience, ConversationView } from '../../../core/model/message.ts';
import type { Username } from '../../../core/model/username.ts';
import type {
  ConversationHead,
  ConversationRefusal,
  StartingPoint,
} from '../../../core/ports/store/conversations.ts';
import { inMany, type Many, places } from '../many.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import type { Head, Route } from './memory.ts';

/** Who writes has the conversation to himself until his transaction ends: only then is it known where it stands. */
const held = { locks: { table: 'conversations', mode: 'write' } } as const;
const roomOfMember = (options?: typeof held) =>
  statement(
    (db, p: { room: string; userId: string }) =>
      db
        .selectFrom('conversations')
        .leftJoin('members', (join) =>
          join.onRef('members.conversation_id', '=', 'conversations.id').on('members.user_id', '=', p.userId),
        )
        .select(['id', 'last_seq', 'latest_at', 'read_seq'])
        .where('room', '=', p.room),
    options,
  );
const roomToRead = roomOfMember();
const roomToWrite = roomOfMember(held);
const userByName = statement((db, p: { username: string }) =>
  db.selectFrom('users').select(['id', 'erased_at']).where('username', '=', p.username),
);
const liveUserBy = (options?: { locks: { table: 'users'; mode: 'share' } }) =>
  statement(
    (db, p: { id: string }) =>
      db.selectFrom('users').select('id').where('id', '=', p.id).where('erased_at', 'is', null),
    options,
  );
const liveUser = liveUserBy();
/** … who stays alive until the transaction ends. */
const stayingUser = liveUserBy({ locks: { table: 'users', mode: 'share' } });
const directOf = (options?: typeof held) =>
  statement(
    (db, p: { low: string; high: string; userId: string }) =>
      db
        .selectFrom('conversations')
        .innerJoin('members', 'members.conversation_id', 'conversations.id')
        .select(['id', 'last_seq', 'latest_at', 'read_seq'])
        .where('low_user_id', '=', p.low)
        .where('high_user_id', '=', p.high)
        .where('members.user_id', '=', p.userId),
    options,
  );
const directToRead = directOf();
const directToWrite = directOf(held);
const insertDirect = statement((db, p: { low: string; high: string; now: number }) =>
  db
    .insertInto('conversations')
    .values({
      low_user_id: p.low,
      high_user_id: p.high,
      last_seq: 0,
      latest_at: 0,
      created_at: p.now,
    } as never)
    .returning('id'),
);
const insertMember = statement((db, p: { id: number; userId: string; now: number }) =>
  db
    .insertInto('members')
    .values({ conversation_id: p.id, user_id: p.userId, read_seq: 0, joined_at: p.now }),
);
const ofUser = statement((db, p: { userId: string }) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .leftJoin('users as low', 'low.id', 'low_user_id')
    .leftJoin('users as high', 'high.id', 'high_user_id')
    .select([
      'conversations.id',
      'room',
      'last_seq',
      'read_seq',
      'low_user_id',
      'low.username as low_name',
      'high.username as high_name',
    ])
    .where('members.user_id', '=', p.userId)
    .orderBy('members.conversation_id'),
);
const markerOf = statement((db, p: { id: number; userId: string }) =>
  db
    .selectFrom('members')
    .select('read_seq')
    .where('conversation_id', '=', p.id)
    .where('user_id', '=', p.userId),
);
const moveMarker = statement((db, p: { id: number; userId: string; seq: number }) =>
  db
    .updateTable('members')
    .set({ read_seq: p.seq })
    .where('conversation_id', '=', p.id)
    .where('user_id', '=', p.userId)
    .where('read_seq', '<', p.seq),
);
const lastSeqOf = statement((db, p: { id: number }) =>
  db.selectFrom('conversations').select('last_seq').where('id', '=', p.id),
);
const lastSeqs = statement((db, p: Many) =>
  db.selectFrom('conversations').select(['id', 'last_seq']).where('id', 'in', places<number>(p)),
);
const seqOfId = statement((db, p: { id: number; message: string }) =>
  db
    .selectFrom('messages')
    .select('seq')
    .where('messages.id', '=', p.message)
    .where('conversation_id', '=', p.id),
);
const latestAtOf = statement((db, p: { id: number; seq: number }) =>
  db.selectFrom('messages').select('latest_at').where('conversation_id', '=', p.id).where('seq', '=', p.seq),
);

/** A conversation that somebody may use, with who hears of it. */
export interface Usable extends Route {
  readonly readSeq: number;
}

/** False for a tombstone, whose last calls may come after it. */
export function* isLive(id: UserId): Query<boolean> {
  return (yield* first(liveUser, { id })) !== undefined;
}

/** Two who may write to each other, and have not. */
interface Unwritten {
  readonly kind: 'unwritten';
  readonly low: string;
  readonly high: string;
  readonly audience: Audience;
}

interface Named {
  readonly id: UserId;
  readonly name: Username | undefined;
}

/** Finds the conversation that `user` means by `ref`; a direct one is made when it is not there yet. */
export function* usable(
  user: Named,
  ref: ConversationRef,
  now: number,
  isToWrite = false,
): Query<Usable | ConversationRefusal> {
  const found = yield* known(user, ref, isToWrite);
  if (!('kind' in found) || found.kind !== 'unwritten') return found;
  const { low, high, audience } = found;
  // A tombstone's work is bounded by the conversations that it finds: none begins behind its back.
  if (isToWrite && !(yield* first(stayingUser, { id: user.id }))) return { kind: 'no-user' };
  const made = yield* first(insertDirect, { low, high, now });
  if (!made) throw new Error('the database answered an insertion without its row');
  for (const userId of new Set([low, high])) yield* rows(insertMember, { id: made.id, userId, now });
  return { head: headOf({ id: made.id, last_seq: 0, latest_at: 0 }), readSeq: 0, audience };
}

/** The conversation that `user` means by `ref`, held, when it is there and may be written in. */
export function* writable(user: Named, ref: ConversationRef): Query<Usable | undefined> {
  const found = yield* known(user, ref, true);
  return 'kind' in found ? undefined : found;
}

/**
 * The conversation that `user` means by `ref`. What a tombstone has sent can still be read; nobody writes to it, and it writes to nobody:
 * that is asked after the conversation is held, so that an erasure which has held it since finds all there is.
 */
function* known(
  user: Named,
  ref: ConversationRef,
  isToWrite: boolean,
): Query<Usable | ConversationRefusal | Unwritten> {
  if (ref.kind === 'room') {
    const row = yield* first(isToWrite ? roomToWrite : roomToRead, { room: ref.room, userId: user.id });
    if (!(yield* isLive(user.id))) return { kind: 'not-member' };
    if (!row) return { kind: 'no-room' };
    if (row.read_seq === null) return { kind: 'not-member' };
    const audience: Audience = { kind: 'room', room: ref.room };
    return { head: headOf(row), readSeq: row.read_seq, audience };
  }
  const peer = yield* first(userByName, { username: ref.peer });
  if (!peer || (isToWrite && peer.erased_at !== null)) return { kind: 'no-user' };
  const [low, high] = user.id < peer.id ? [user.id, peer.id] : [peer.id, user.id];
  const audience: Audience = { kind: 'direct', users: [user.name ?? ref.peer, ref.peer] };
  const row = yield* first(isToWrite ? directToWrite : directToRead, { low, high, userId: user.id });
  if (!(yield* isLive(user.id))) return { kind: 'no-user' };
  if (row) return { head: headOf(row), readSeq: row.read_seq, audience };
  return peer.erased_at === null ? { kind: 'unwritten', low, high, audience } : { kind: 'no-user' };
}

function headOf(row: { id: number; last_seq: number; latest_at: number }): Head {
  return { id: row.id as ConversationId, lastSeq: row.last_seq, latestAt: row.latest_at };
}

/** Store.openConversation */
export function* openConversation(query: {
  userId: UserId;
  ref: ConversationRef;
  now: number;
}): Query<ConversationView | ConversationRefusal> {
  const found = yield* usable({ id: query.userId, name: undefined }, query.ref, query.now);
  return 'kind' in found ? found : viewOf(found, query.ref);
}

/** Store.conversation */
export function* conversation({
  userId,
  ref,
}: {
  userId: UserId;
  ref: ConversationRef;
}): Query<ConversationView | ConversationRefusal | { kind: 'unwritten' }> {
  const found = yield* known({ id: userId, name: undefined }, ref, false);
  if (!('kind' in found)) return viewOf(found, ref);
  return found.kind === 'unwritten' ? { kind: 'unwritten' } : found;
}

function viewOf({ head: { id, lastSeq }, readSeq }: Usable, ref: ConversationRef): ConversationView {
  return { id, ref, lastSeq, readSeq };
}

/** Store.conversations */
export function* conversations({ userId }: { userId: UserId }): Query<ConversationView[]> {
  return (yield* rows(ofUser, { userId })).map((row) => ({
    id: row.id as ConversationId,
    ref: refOf(row, userId),
    lastSeq: row.last_seq,
    readSeq: row.read_seq,
  }));
}

/** What `userId` calls a conversation that it is in. */
export function refOf(
  row: { room: string | null; low_user_id: string | null; low_name: string | null; high_name: string | null },
  userId: UserId,
): ConversationRef {
  if (row.room !== null) return { kind: 'room', room: row.room as RoomName };
  return { kind: 'direct', peer: (row.low_user_id === userId ? row.high_name : row.low_name) as Username };
}

/** Store.heads */
export function* heads(ids: readonly ConversationId[]): Query<ConversationHead[]> {
  const found: ConversationHead[] = [];
  for (const part of inMany(ids)) {
    for (const row of yield* rows(lastSeqs, part)) {
      found.push({ conversation: row.id as ConversationId, lastSeq: row.last_seq });
    }
  }
  return found;
}

/** Store.startingSeq */
export function* startingSeq({
  conversation,
  from,
}: {
  conversation: ConversationId;
  from: StartingPoint;
}): Query<number | undefined> {
  if ('id' in from) return (yield* first(seqOfId, { id: conversation, message: from.id }))?.seq;
  const lastSeq = (yield* first(lastSeqOf, { id: conversation }))?.last_seq ?? 0;
  if ('last' in from) return Math.max(0, lastSeq - from.last);
  return yield* lastBefore(conversation, from.since, lastSeq);
}

/**
 * The last of the messages that all were sent before `since`, or 0: bisection over `latest_at`, since the first message sent at
 * or after a time is the first at which the greatest time so far reaches it. About 24 looks at ten million messages.
 */
function* lastBefore(id: ConversationId, since: number, lastSeq: number): Query<number> {
  let before = 0;
  let after = lastSeq + 1;
  while (after - before > 1) {
    const seq = Math.floor((before + after) / 2);
    const row = yield* first(latestAtOf, { id, seq });
    if (!row) throw new Error(`message ${seq} of conversation ${id} is missing`);
    if (row.latest_at < since) before = seq;
    else after = seq;
  }
  return before;
}

/** Store.markRead */
export function* markRead({
  conversation,
  userId,
  seq,
}: {
  conversation: ConversationId;
  userId: UserId;
  seq: number;
}): Query<number> {
  yield* rows(moveMarker, { id: conversation, userId, seq });
  return (yield* first(markerOf, { id: conversation, userId }))?.read_seq ?? 0;
}
