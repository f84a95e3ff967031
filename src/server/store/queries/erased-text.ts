import type { ConversationId } from '../../../core/model/ids.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { firstOfPart, forgetIndexed, partMessages } from './search-index.ts';

/** Whose text goes: what one account sent in a stretch of a conversation, or with no account all of it. */
export interface GoneText {
  readonly conversation: number;
  readonly after: number;
  readonly upTo: number;
  readonly senderId: string | undefined;
}

const ofSender = statement((db, p: { conversation: number; after: number; upTo: number; senderId: string }) =>
  db
    .updateTable('messages')
    .set({ body: null, envelope: null, idempotency_key: null })
    .where('conversation_id', '=', p.conversation)
    .where('seq', '>', p.after)
    .where('seq', '<=', p.upTo)
    .where('sender_id', '=', p.senderId),
);
const ofAll = statement((db, p: { conversation: number; after: number; upTo: number }) =>
  db
    .updateTable('messages')
    .set({ body: null, envelope: null, idempotency_key: null })
    .where('conversation_id', '=', p.conversation)
    .where('seq', '>', p.after)
    .where('seq', '<=', p.upTo),
);
const textOfSender = statement(
  (db, p: { conversation: number; after: number; upTo: number; senderId: string }) =>
    db
      .selectFrom('messages')
      .select('seq')
      .where('conversation_id', '=', p.conversation)
      .where('seq', '>', p.after)
      .where('seq', '<=', p.upTo)
      .where('sender_id', '=', p.senderId)
      .where('body', 'is not', null)
      .limit(1),
);
/** Of many nodes one writes here at a time, and nobody is in the middle of sending: all there is, is seen. */
const heldConversation = statement(
  (db, p: { conversation: number }) =>
    db.selectFrom('conversations').select('id').where('id', '=', p.conversation),
  { locks: { table: 'conversations', mode: 'write' } },
);
/** The value is of no account: that the row is there says that the files may still have what the tables have not. */
const noteUnscrubbed = statement((db, _: Record<string, never>) =>
  db
    .insertInto('settings')
    .values({ name: 'unscrubbed', value: '1' })
    .onConflict((conflict) => conflict.column('name').doNothing()),
);
const unscrubbed = statement((db, _: Record<string, never>) =>
  db.selectFrom('settings').select('name').where('name', '=', 'unscrubbed'),
);
const forgetUnscrubbed = statement((db, _: Record<string, never>) =>
  db.deleteFrom('settings').where('name', '=', 'unscrubbed'),
);

/**
 * Takes the text of messages, and the keys that their senders chose; the rows stay, so that `seq` has no gap. Whatever else
 * keeps a text forgets it here, in the same transaction. Answers how many rows that were.
 */
export function* eraseText({ senderId, ...stretch }: GoneText): Query<number> {
  yield* noteErased();
  yield* first(heldConversation, { conversation: stretch.conversation });
  yield* forgetWords({ ...stretch, senderId });
  return senderId === undefined
    ? yield* changes(ofAll, stretch)
    : yield* changes(ofSender, { ...stretch, senderId });
}

/** The words of those messages leave the index, before their texts do: by these it is known where there are any. */
function* forgetWords({ conversation, after, upTo, senderId }: GoneText): Query<void> {
  for (let from = firstOfPart(after + 1); from <= upTo; from += partMessages) {
    const part = {
      conversation,
      after: Math.max(after, from - 1),
      upTo: Math.min(upTo, from + partMessages - 1),
    };
    const hasText = senderId === undefined || (yield* first(textOfSender, { ...part, senderId }));
    if (hasText) yield* forgetIndexed(conversation as ConversationId, [from]);
  }
}

/** Remembers that something was erased which the files may still have. */
export function* noteErased(): Query<void> {
  yield* rows(noteUnscrubbed, {});
}

/** True when something was erased since the files were last scrubbed. */
export function* isUnscrubbed(): Query<boolean> {
  return (yield* rows(unscrubbed, {})).length > 0;
}

/** The files have been scrubbed. */
export function* noteScrubbed(): Query<void> {
  yield* rows(forgetUnscrubbed, {});
}
