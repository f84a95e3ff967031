import type { ConversationId } from '../../../core/model/ids.ts';
import type { ExpiryStep } from '../../../core/ports/store/erasure.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { eraseText } from './erased-text.ts';

/** Messages that one call takes: at most 8 MB of text, so that nobody waits long for it. */
const messagesAtOnce = 500;
/** Conversations that one call looks at. */
const conversationsAtOnce = 100;

const conversationsAfter = statement((db, p: { after: number; limit: number }) =>
  db
    .selectFrom('conversations')
    .select(['id', 'last_seq', 'expired_seq'])
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(p.limit),
);
/** `latest_at` never steps back: what is old is a stretch from the beginning on. */
const firstYoung = statement((db, p: { id: number; after: number; upTo: number; before: number }) =>
  db
    .selectFrom('messages')
    .select('seq')
    .where('conversation_id', '=', p.id)
    .where('seq', '>', p.after)
    .where('seq', '<=', p.upTo)
    .where('latest_at', '>=', p.before)
    .orderBy('seq')
    .limit(1),
);
const moveExpired = statement((db, p: { id: number; seq: number }) =>
  db.updateTable('conversations').set({ expired_seq: p.seq }).where('id', '=', p.id),
);

/** Store.expireMessages */
export function* expireMessages({
  before,
  after = 0 as ConversationId,
}: {
  before: number;
  after?: ConversationId | undefined;
}): Query<ExpiryStep> {
  const found = yield* rows(conversationsAfter, { after, limit: conversationsAtOnce });
  let done: number = after;
  let expired = 0;
  for (const { id, last_seq: lastSeq, expired_seq: expiredSeq } of found) {
    const upTo = Math.min(lastSeq, expiredSeq + messagesAtOnce - expired);
    if (upTo > expiredSeq) {
      const young = yield* first(firstYoung, { id, after: expiredSeq, upTo, before });
      const last = young ? young.seq - 1 : upTo;
      if (last > expiredSeq) {
        yield* eraseText({ conversation: id, after: expiredSeq, upTo: last, senderId: undefined });
        yield* rows(moveExpired, { id, seq: last });
        expired += last - expiredSeq;
        // There may be more of it: it is looked at again.
        if (!young && upTo < lastSeq) return { expired, next: done as ConversationId };
      }
    }
    done = id;
    if (expired >= messagesAtOnce) return { expired, next: done as ConversationId };
  }
  return { expired, next: found.length < conversationsAtOnce ? undefined : (done as ConversationId) };
}
