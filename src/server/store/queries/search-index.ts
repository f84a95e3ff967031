import type { ConversationId } from '../../../core/model/ids.ts';
import { wordsOf } from '../../../core/search-terms.ts';
import { dropBlocks, dropSegments, putWords } from '../sqlite/full-text.ts';
import { changes, first, type Query, rows, statement, withEach } from '../statement.ts';

/** Messages of a conversation that are one part of the index: so many are indexed again when one of them is forgotten. */
export const partMessages = 4_096;

/** The first message of the part that `seq` is in. */
export function firstOfPart(seq: number): number {
  return Math.floor((seq - 1) / partMessages) * partMessages + 1;
}

/** Whoever fills a part, or takes words out of it, has it to himself: no word of an erased text comes back. */
const held = { locks: { table: 'search_parts', mode: 'write' } } as const;
const partBy = (options?: typeof held) =>
  statement(
    (db, p: { id: number; firstSeq: number }) =>
      db
        .selectFrom('search_parts')
        .select(['id', 'next_seq'])
        .where('conversation_id', '=', p.id)
        .where('first_seq', '=', p.firstSeq),
    options,
  );
const partAt = partBy();
const heldPartAt = partBy(held);
const newestPart = statement(
  (db, p: { id: number }) =>
    db
      .selectFrom('search_parts')
      .select(['id', 'conversation_id', 'first_seq', 'next_seq', 'is_anew'])
      .where('conversation_id', '=', p.id)
      .orderBy('first_seq', 'desc')
      .limit(1),
  held,
);
const anewPart = statement(
  (db, _p: object) =>
    db
      .selectFrom('search_parts')
      .select(['id', 'conversation_id', 'first_seq', 'next_seq', 'is_anew'])
      // Written out: for a value that comes later the index of just these would not be taken.
      .where('is_anew', '=', (e) => e.lit(1))
      .limit(1),
  held,
);
const insertPart = statement((db, p: { id: number; firstSeq: number }) =>
  db
    .insertInto('search_parts')
    .values({ conversation_id: p.id, first_seq: p.firstSeq, next_seq: p.firstSeq, is_anew: 0 } as never)
    .returning('id'),
);
const movePart = statement((db, p: { part: number; nextSeq: number; isAnew: number }) =>
  db
    .updateTable('search_parts')
    .set({ next_seq: p.nextSeq, is_anew: p.isAnew as 0 | 1 })
    .where('id', '=', p.part),
);
const lastSeqOf = statement((db, p: { id: number }) =>
  db.selectFrom('conversations').select('last_seq').where('id', '=', p.id),
);
const heldConversation = statement(
  (db, p: { id: number }) => db.selectFrom('conversations').select('last_seq').where('id', '=', p.id),
  { locks: { table: 'conversations', mode: 'write' } },
);
const texts = statement((db, p: { id: number; from: number; before: number; limit: number }) =>
  db
    .selectFrom('messages')
    .select(['seq', 'body'])
    .where('conversation_id', '=', p.id)
    .where('seq', '>=', p.from)
    .where('seq', '<', p.before)
    .orderBy('seq')
    .limit(p.limit),
);
const conversationsAfter = statement((db, p: { after: number; limit: number }) =>
  db
    .selectFrom('conversations')
    .select((e) => [
      'id',
      'last_seq',
      e
        .selectFrom('search_parts')
        .select((part) => part.fn.max('next_seq').as('next'))
        .whereRef('conversation_id', '=', 'conversations.id')
        .as('next_seq'),
    ])
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(p.limit),
);

/** A part as it stands: what is before `nextSeq` is in the index. */
export function* partOf(
  conversation: ConversationId,
  firstSeq: number,
): Query<{ id: number; nextSeq: number } | undefined> {
  const row = yield* first(partAt, { id: conversation, firstSeq });
  return row && { id: row.id, nextSeq: row.next_seq };
}

/** What a step may put into the index at most, so that it takes some milliseconds. */
export interface IndexBudget {
  messages: number;
  characters: number;
}

/**
 * Puts messages of a conversation into the index, in order, from where it has come to and as far as `budget` goes, which is
 * lessened by what was done. Answers whether all of them are in it now. Envelopes have no words.
 */
export function* indexConversation(conversation: ConversationId, budget: IndexBudget): Query<boolean> {
  const lastSeq = (yield* first(lastSeqOf, { id: conversation }))?.last_seq ?? 0;
  for (;;) {
    const part = yield* openPart(conversation, lastSeq);
    if (!part) return true;
    if (budget.messages <= 0 || budget.characters <= 0) return false;
    yield* fill(part, lastSeq, budget);
  }
}

/** The same for a part of which messages were forgotten; answers false when there is no such part (any more). */
export function* indexAnew(budget: IndexBudget): Query<boolean> {
  const row = yield* first(anewPart, {});
  if (!row) return false;
  const lastSeq = (yield* first(lastSeqOf, { id: row.conversation_id }))?.last_seq ?? 0;
  yield* fill(row, lastSeq, budget);
  return true;
}

/** The next conversations after `after` in order of id, and how many messages of each are not in the index. */
export function* lagAfter(after: number, limit: number): Query<{ id: ConversationId; unindexed: number }[]> {
  return (yield* rows(conversationsAfter, { after, limit })).map((row) => ({
    id: row.id as ConversationId,
    unindexed: Math.max(0, row.last_seq + 1 - (row.next_seq ?? 1)),
  }));
}

/**
 * Forgets the words of messages that are erased: the parts that have them leave the index, and what remains of those is indexed
 * again in the background. To be run in the transaction that erases; what was overwritten is gone from the files after
 * `wal_checkpoint(TRUNCATE)`. No `optimize` is needed.
 */
export function* forgetIndexed(conversation: ConversationId, seqs: Iterable<number>): Query<void> {
  for (const firstSeq of new Set([...seqs].map(firstOfPart))) {
    const part = yield* first(heldPartAt, { id: conversation, firstSeq });
    if (!part) continue;
    yield* changes(dropBlocks, { part: part.id });
    yield* changes(dropSegments, { part: part.id });
    yield* changes(movePart, { part: part.id, nextSeq: firstSeq, isAnew: 1 });
  }
}

interface Part {
  readonly id: number;
  readonly conversation_id: number;
  readonly first_seq: number;
  readonly next_seq: number;
  readonly is_anew: number;
}

/** The part that the next message goes into, made when it is the first of it; undefined when there is no next message. */
function* openPart(conversation: ConversationId, lastSeq: number): Query<Part | undefined> {
  const newest = yield* first(newestPart, { id: conversation });
  const nextSeq = newest?.next_seq ?? 1;
  if (nextSeq > lastSeq) return undefined;
  if (newest && nextSeq < newest.first_seq + partMessages) return newest;
  const firstSeq = newest ? newest.first_seq + partMessages : 1;
  // Who erases here holds the conversation, and would not see a part that is not committed yet.
  yield* first(heldConversation, { id: conversation });
  const made = yield* first(insertPart, { id: conversation, firstSeq });
  if (!made) throw new Error('the database answered an insertion without its row');
  return { id: made.id, conversation_id: conversation, first_seq: firstSeq, next_seq: firstSeq, is_anew: 0 };
}

/** Rows that are read at once: their texts may be large, and the budget is asked between. */
export const rowsAtOnce = 32;

function* fill(part: Part, lastSeq: number, budget: IndexBudget): Query<void> {
  const end = Math.min(part.first_seq + partMessages, lastSeq + 1);
  let next = part.next_seq;
  while (next < end && budget.messages > 0 && budget.characters > 0) {
    const limit = Math.min(rowsAtOnce, budget.messages);
    const found = yield* rows(texts, { id: part.conversation_id, from: next, before: end, limit });
    const put: { part: number; seq: number; words: string }[] = [];
    for (const { seq, body } of found) {
      const words = body === null ? '' : wordsOf(body).join(' ');
      if (words !== '') put.push({ part: part.id, seq, words });
      budget.messages -= 1;
      budget.characters -= body?.length ?? 0;
      next = seq + 1;
      if (budget.characters <= 0) break;
    }
    yield* withEach(putWords, put);
    // There may be fewer than their numbers say: some are erased.
    if (found.length < limit && budget.characters > 0) next = end;
  }
  const isAnew = next < end ? part.is_anew : 0;
  yield* changes(movePart, { part: part.id, nextSeq: next, isAnew });
}
