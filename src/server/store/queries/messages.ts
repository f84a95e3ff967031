import type { ConversationId, MessageId } from '../../../core/model/ids.ts';
import type { Audience, MessageBody, StoredMessage } from '../../../core/model/message.ts';
import type { Username } from '../../../core/model/username.ts';
import type { AppendOutcome, MessageQuery, NewMessage } from '../../../core/ports/store.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { usable } from './conversations.ts';

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
const nextSeq = statement((db, p: { id: number }) =>
  db
    .updateTable('conversations')
    .set((e) => ({ last_seq: e('last_seq', '+', 1) }))
    .where('id', '=', p.id)
    .returning('last_seq'),
);
const insertMessage = statement(
  (
    db,
    p: {
      conversation: number;
      seq: number;
      id: string;
      senderId: string;
      sentAt: number;
      body: string | null;
      envelope: string | null;
      key: string | null;
    },
  ) =>
    db.insertInto('messages').values({
      conversation_id: p.conversation,
      seq: p.seq,
      id: p.id,
      sender_id: p.senderId,
      sent_at: p.sentAt,
      body: p.body,
      envelope: p.envelope,
      idempotency_key: p.key,
    }),
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

/** Store.appendMessage */
export function* appendMessage(message: NewMessage): Query<AppendOutcome> {
  const { senderId, key } = message;
  const known = key === undefined ? undefined : yield* first(byKey, { senderId, key });
  if (known) {
    return {
      kind: 'repeated',
      conversation: known.conversation_id as ConversationId,
      audience: yield* audience(known.conversation_id),
      id: known.id as MessageId,
      seq: known.seq,
      sentAt: known.sent_at,
    };
  }
  const conversation = yield* usable({ id: senderId, name: message.sender }, message.to, message.sentAt);
  if ('kind' in conversation) return conversation;
  const conversationId = conversation.id;
  const seq = (yield* first(nextSeq, { id: conversationId }))?.last_seq;
  if (seq === undefined) throw new Error(`conversation ${conversationId} was there a statement ago`);
  const { id, sentAt, body } = message;
  yield* rows(insertMessage, {
    conversation: conversationId,
    seq,
    id,
    senderId,
    sentAt,
    body: 'text' in body ? body.text : null,
    envelope: 'envelope' in body ? body.envelope : null,
    key: key ?? null,
  });
  return {
    kind: 'stored',
    conversation: conversationId as ConversationId,
    audience: conversation.audience,
    id,
    seq,
    sentAt,
  };
}

/** Store.messages */
export function* messages(query: MessageQuery): Query<StoredMessage[]> {
  const { conversation: id, after = 0, before = Number.MAX_SAFE_INTEGER, limit, newest = false } = query;
  const found = yield* rows(newest ? newestFirst : oldestFirst, { id, after, before, limit });
  const page = found.map((row) => ({
    seq: row.seq,
    id: row.id as MessageId,
    sender: row.username as Username,
    sentAt: row.sent_at,
    body: bodyOf(row),
  }));
  return newest ? page.reverse() : page;
}

function* audience(id: number): Query<Audience> {
  const row = yield* first(audienceOf, { id });
  if (!row) throw new Error(`conversation ${id} has messages but no row`);
  return row.room === null
    ? { kind: 'direct', users: [row.low_name as Username, row.high_name as Username] }
    : { kind: 'room', room: row.room };
}

function bodyOf({ body, envelope }: { body: string | null; envelope: string | null }): MessageBody {
  return envelope === null ? { text: body ?? '' } : { envelope };
}
