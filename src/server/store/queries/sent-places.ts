import { first, type Query, statement } from '../statement.ts';

/** Where a walk over all that somebody has sent stands: every room by name, then his direct conversations by number. */
export type Place =
  | { readonly kind: 'room'; readonly room: string; readonly seq: number }
  | { readonly kind: 'direct'; readonly id: number; readonly seq: number };

/** Messages `after < seq <= upTo` of one conversation, which somebody may have sent some of. */
export interface Stretch {
  readonly conversation: number;
  readonly after: number;
  readonly upTo: number;
  /** Where the walk stands after it. */
  readonly place: Place;
}

/** Where the walk begins: no room has an empty name. */
export const firstPlace: Place = { kind: 'room', room: '', seq: 0 };

const roomAt = statement((db, p: { room: string }) =>
  db.selectFrom('conversations').select(['id', 'room', 'last_seq']).where('room', '=', p.room),
);
const roomAfter = statement((db, p: { room: string }) =>
  db
    .selectFrom('conversations')
    .select(['id', 'room', 'last_seq'])
    .where('room', '>', p.room)
    .orderBy('room')
    .limit(1),
);
const directAt = statement((db, p: { id: number }) =>
  db.selectFrom('conversations').select(['id', 'last_seq']).where('id', '=', p.id),
);
const directAfter = statement((db, p: { id: number; userId: string }) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['conversations.id', 'last_seq'])
    .where('members.user_id', '=', p.userId)
    .where('members.conversation_id', '>', p.id)
    .where('room', 'is', null)
    .orderBy('members.conversation_id')
    .limit(1),
);

/**
 * The next stretch of at most `rows` messages. All rooms are walked, since somebody may have left one that he has written in; an
 * index by sender would cost every message that is stored.
 */
export function* stretchAfter(userId: string, place: Place, rows: number): Query<Stretch | undefined> {
  if (place.kind === 'room') {
    const current = yield* first(roomAt, { room: place.room });
    const isDone = !current || place.seq >= current.last_seq;
    const found = isDone ? yield* first(roomAfter, { room: place.room }) : current;
    if (!found) return yield* stretchAfter(userId, { kind: 'direct', id: 0, seq: 0 }, rows);
    const after = isDone ? 0 : place.seq;
    const upTo = Math.min(after + rows, found.last_seq);
    const reached: Place = { kind: 'room', room: found.room ?? '', seq: upTo };
    return { conversation: found.id, after, upTo, place: reached };
  }
  const current = yield* first(directAt, { id: place.id });
  const isDone = !current || place.seq >= current.last_seq;
  const found = isDone ? yield* first(directAfter, { id: place.id, userId }) : current;
  if (!found) return undefined;
  const after = isDone ? 0 : place.seq;
  const upTo = Math.min(after + rows, found.last_seq);
  return { conversation: found.id, after, upTo, place: { kind: 'direct', id: found.id, seq: upTo } };
}

/** A place as one text, to be kept. */
export function placeText(place: Place): string {
  return `${place.kind} ${place.kind === 'room' ? place.room : place.id} ${place.seq}`;
}

/** Reads what {@link placeText} wrote; no text is the beginning. */
export function readPlace(text: string | null): Place {
  if (text === null) return firstPlace;
  const [kind, at = '', seq] = text.split(' ');
  return kind === 'room'
    ? { kind, room: at, seq: Number(seq) }
    : { kind: 'direct', id: Number(at), seq: Number(seq) };
}
