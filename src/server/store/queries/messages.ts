import { conversationName } from '../../../core/model/conversation-name.ts';
import type { ConversationId, MessageId } from '../../../core/model/ids.ts';
import type { Audience, MessageBody, StoredMessage } from '../../../core/model/message.ts';
import type { Username } from '../../../core/model/username.ts';
import type { AppendOutcome, MessageQuery, NewMessage } from '../../../core/ports/store/messages.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { usable, writable } from './conversations.ts';
import type { Memory, Route } from './memory.ts';

const byKey = statement((db, p: { senderId: string; key: string }) =>
  db
    .selectFrom('messages')
    .select(['id', 'conversation_id', 'seq', 'sent_at'])
    .where('sender_id', '=', p.senderId)
    .where('idempotency_key', '=', p.key),
);
const audienceOf = statement((db, p: { id: number }) =>
  db
    .selectFrom('conversations')
    .leftJoin('users as low', 'low.id', 'low_user_id')
    .leftJoin('users as high', 'high.id', 'high_user_id')
    .select(['room', 'low.username as low_name', 'high.username as high_name'])
    .where('conversations.id', '=', p.id),
);

/** A message as it is stored; `sentAt` and `latestAt`, the greatest `sentAt` of its conversation so far, in UTC milliseconds. */
export interface MessageRow {
  readonly conversation: ConversationId;
  readonly seq: number;
  readonly id: string;
  readonly senderId: string;
  readonly sentAt: number;
  readonly latestAt: number;
  readonly body: string | null;
  readonly envelope: string | null;
  readonly key: string | null;
}

const insertMessage = statement((db, p: MessageRow) =>
  db
    .insertInto('messages')
    .values({
      conversation_id: p.conversation,
      seq: p.seq,
      id: p.id,
      sender_id: p.senderId,
      sent_at: p.sentAt,
      latest_at: p.latestAt,
      body: p.body,
      envelope: p.envelope,
      idempotency_key: p.key,
    })
    .onConflict((conflict) =>
      conflict.columns(['idempotency_key', 'sender_id']).where('idempotency_key', 'is not', null).doNothing(),
    ),
);
const writeHead = statement((db, p: { id: number; lastSeq: number; latestAt: number }) =>
  db.updateTable('conversations').set({ last_seq: p.lastSeq, latest_at: p.latestAt }).where('id', '=', p.id),
);
const page = (direction: 'asc' | 'desc') =>
  statement((db, p: { id: number; after: number; before: number; limit: number }) =>
    db
      .selectFrom('messages')
      .innerJoin('users', 'users.id', 'messages.sender_id')
      .select(['seq', 'messages.id', 'username', 'sent_at', 'body', 'envelope'])
      .where('conversation_id', '=', p.id)
      .where('seq', '>', p.after)
      .where('seq', '<', p.before)
      .orderBy('seq', direction)
      .limit(p.limit),
  );
const oldestFirst = page('asc');
const newestFirst = page('desc');

/**
 * Store.appendMessage. A send in a conversation that is remembered is one insertion: whether its key is known is asked by the
 * unique index, and the conversation's row is written once for all of a transaction, by {@link writeBack}.
 */
export function* appendMessage(message: NewMessage, memory: Memory): Query<AppendOutcome> {
  const { senderId, sentAt } = message;
  const to = conversationName(message.to);
  let route = memory.route(senderId, to);
  if (!route) {
    // Before a refusal and before a direct conversation is made: what was answered once is answered again.
    const known = yield* repeated(message);
    if (known) return known;
    const found = yield* usable({ id: senderId, name: message.sender }, message.to, sentAt, true);
    if ('kind' in found) return found;
    route = memory.keep(senderId, to, found);
  }
  const { row, outcome } = placed(message, route);
  if ((yield* changes(insertMessage, row)) === 0) {
    const known = yield* repeated(message);
    if (!known) throw new Error('the database refused a key that it does not know');
    return known;
  }
  memory.advance(route.head, row.seq, row.latestAt);
  return outcome;
}

/** The row of a message at the end of a conversation, and what is answered for it. */
function placed(
  message: NewMessage,
  { head, audience }: Route,
): { readonly row: MessageRow; readonly outcome: AppendOutcome } {
  const { id, senderId, key, sentAt, body } = message;
  const seq = head.lastSeq + 1;
  const row = {
    conversation: head.id,
    seq,
    id,
    senderId,
    sentAt,
    latestAt: Math.max(head.latestAt, sentAt),
    body: 'text' in body ? body.text : null,
    envelope: 'envelope' in body ? body.envelope : null,
    key: key ?? null,
  };
  return { row, outcome: { kind: 'stored', conversation: head.id, audience, id, seq, sentAt } };
}

/** Remembers where a message goes, ahead of {@link appendMessage}, when its sender may write there and it need not be made. */
export function* findRoute({ senderId, sender, to }: NewMessage, memory: Memory): Query<void> {
  const name = conversationName(to);
  if (memory.route(senderId, name)) return;
  const found = yield* writable({ id: senderId, name: sender }, to);
  if (found) memory.keep(senderId, name, found);
}

/**
 * Places a message where it is remembered to go, as if nobody had its key: the row that is to be inserted, and what is answered for it when
 * nobody has. Undefined when nothing is remembered.
 */
export function placeAhead(
  message: NewMessage,
  memory: Memory,
): { readonly row: MessageRow; readonly outcome: AppendOutcome } | undefined {
  const route = memory.route(message.senderId, conversationName(message.to));
  if (!route) return undefined;
  const { row, outcome } = placed(message, route);
  memory.advance(route.head, row.seq, row.latestAt);
  return { row, outcome };
}

/** Brings the conversations' rows up to what was stored in them; due before a commit and before any other query. */
export function* writeBack(memory: Memory): Query<void> {
  for (const head of memory.takeAhead()) yield* changes(writeHead, head);
}

function* repeated({ senderId, key }: NewMessage): Query<AppendOutcome | undefined> {
  const known = key === undefined ? undefined : yield* first(byKey, { senderId, key });
  if (!known) return undefined;
  return {
    kind: 'repeated',
    conversation: known.conversation_id as ConversationId,
    audience: yield* audience(known.conversation_id),
    id: known.id as MessageId,
    seq: known.seq,
    sentAt: known.sent_at,
  };
}

/** Store.messages */
export function* messages(query: MessageQuery): Query<StoredMessage[]> {
  const { conversation: id, after = 0, before = Number.MAX_SAFE_INTEGER, limit, newest = false } = query;
  const found = yield* rows(newest ? newestFirst : oldestFirst, { id, after, before, limit });
  const page = found.slice(0, fitting(found, query.maxCharacters)).map((row) => ({
    seq: row.seq,
    id: row.id as MessageId,
    sender: row.username as Username,
    sentAt: row.sent_at,
    body: bodyOf(row),
  }));
  return newest ? page.reverse() : page;
}

/** How many of these rows have bodies of `maxCharacters` together; one at least. */
export function fitting(
  found: readonly { body: string | null; envelope: string | null }[],
  maxCharacters = Number.POSITIVE_INFINITY,
): number {
  let characters = 0;
  for (const [index, { body, envelope }] of found.entries()) {
    characters += (body ?? envelope ?? '').length;
    if (characters > maxCharacters) return Math.max(1, index);
  }
  return found.length;
}

function* audience(id: number): Query<Audience> {
  const row = yield* first(audienceOf, { id });
  if (!row) throw new Error(`conversation ${id} has messages but no row`);
  return row.room === null
    ? { kind: 'direct', users: [row.low_name as Username, row.high_name as Username] }
    : { kind: 'room', room: row.room };
}

/** What a row carries; neither text nor envelope is an erased one. */
export function bodyOf({ body, envelope }: { body: string | null; envelope: string | null }): MessageBody {
  if (envelope !== null) return { envelope };
  return body === null ? { erased: true } : { text: body };
}
