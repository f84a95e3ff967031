import type { ConversationId, MessageId, UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type {
  FoundMessage,
  MessagePosition,
  Searchable,
  SearchPlace,
  SearchQuery,
  SearchStep,
} from '../../../core/ports/store/search.ts';
import { hasTerms } from '../../../core/search-terms.ts';
import { matching } from '../sqlite/full-text.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { refOf } from './conversations.ts';
import { bodyOf } from './messages.ts';
import { firstOfPart, partOf, rowsAtOnce } from './search-index.ts';

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
      'latest_at',
      'low_user_id',
      'low.username as low_name',
      'high.username as high_name',
    ])
    .where('members.user_id', '=', p.userId)
    .where('last_seq', '>', 0),
);
const readable = statement((db, p: { id: number; userId: string }) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select('last_seq')
    .where('members.conversation_id', '=', p.id)
    .where('members.user_id', '=', p.userId),
);
const found = statement((db, p: { id: number; seq: number }) =>
  db
    .selectFrom('messages')
    .innerJoin('users', 'users.id', 'messages.sender_id')
    .select(['seq', 'messages.id', 'username', 'sent_at', 'latest_at', 'body', 'envelope'])
    .where('conversation_id', '=', p.id)
    .where('seq', '=', p.seq),
);
const unindexed = statement((db, p: { id: number; from: number; before: number; limit: number }) =>
  db
    .selectFrom('messages')
    .select(['seq', 'body'])
    .where('conversation_id', '=', p.id)
    .where('seq', '>=', p.from)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);
const latestUpTo = statement((db, p: { id: number; before: number }) =>
  db
    .selectFrom('messages')
    .select('latest_at')
    .where('conversation_id', '=', p.id)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(1),
);
const positionOf = statement((db, p: { message: string; userId: string }) =>
  db
    .selectFrom('messages')
    .innerJoin('members', 'members.conversation_id', 'messages.conversation_id')
    .select(['messages.conversation_id', 'seq', 'latest_at'])
    .where('messages.id', '=', p.message)
    .where('members.user_id', '=', p.userId),
);

/** What one step looks at, so that nobody who sends waits long for somebody who searches. */
const step = { parts: 16, unindexed: 512, characters: 131_072 } as const;

/** Store.searchable */
export function* searchable({ userId }: { userId: UserId }): Query<Searchable[]> {
  return (yield* rows(ofUser, { userId })).map((row) => ({
    id: row.id as ConversationId,
    ref: refOf(row, userId),
    lastSeq: row.last_seq,
    latestAt: row.latest_at,
  }));
}

/** Store.messagePosition */
export function* messagePosition(query: {
  userId: UserId;
  id: MessageId;
}): Query<MessagePosition | undefined> {
  const row = yield* first(positionOf, { message: query.id, userId: query.userId });
  if (!row) return undefined;
  return {
    conversation: row.conversation_id as ConversationId,
    seq: row.seq,
    latestAt: row.latest_at,
  };
}

/** Store.searchMessages */
export function* searchMessages({ userId, conversations, terms, limit }: SearchQuery): Query<SearchStep[]> {
  const steps: SearchStep[] = [];
  const budget = { parts: step.parts };
  let matches = 0;
  for (const place of conversations) {
    const found = yield* searchPlace(place, { userId, terms, limit, budget });
    steps.push(found);
    matches += found.found.length;
    if (found.next || budget.parts <= 0 || matches >= limit) break;
  }
  return steps;
}

/** What is looked for, and how many parts may still be looked into for it; one is always. */
interface PlaceQuery extends Pick<SearchQuery, 'userId' | 'terms' | 'limit'> {
  readonly budget: { parts: number };
}

function* searchPlace(
  { id, before }: SearchPlace,
  { userId, terms, limit, budget }: PlaceQuery,
): Query<SearchStep> {
  const matches: FoundMessage[] = [];
  let isWhole = true;
  // Also a conversation with nothing to look into costs something.
  budget.parts -= 1;
  const conversation = yield* first(readable, { id, userId });
  if (!conversation) return { found: matches, next: undefined, isWhole };
  let end = Math.min(before, conversation.last_seq + 1);
  for (let isFirst = true; end > 1; isFirst = false) {
    if (!isFirst && (budget.parts <= 0 || matches.length >= limit)) {
      const latestAt = (yield* first(latestUpTo, { id, before: end }))?.latest_at;
      if (latestAt === undefined) break;
      return { found: matches, next: { before: end, latestAt }, isWhole };
    }
    if (!isFirst) budget.parts -= 1;
    const firstSeq = firstOfPart(end - 1);
    const part = yield* partOf(id, firstSeq);
    const indexed = Math.min(part?.nextSeq ?? firstSeq, end);
    if (indexed < end) {
      const seen = yield* lookThrough({
        id,
        terms,
        from: indexed,
        before: end,
        limit: limit - matches.length,
      });
      isWhole &&= seen.isWhole;
      matches.push(...(yield* read(id, seen.seqs)));
      budget.parts -= seen.parts;
    }
    if (part && matches.length < limit) {
      const query = { part: part.id, terms, before: indexed, limit: limit - matches.length };
      const seqs = (yield* rows(matching, query)).map(({ docid }) => docid);
      matches.push(...(yield* read(id, seqs)));
    }
    const last = matches.length >= limit ? matches[limit - 1] : undefined;
    end = last?.seq ?? firstSeq;
    matches.splice(limit);
  }
  return { found: matches, next: undefined, isWhole };
}

/**
 * The newest of some messages that are not in the index, newest first: those that match, whether it saw all, and as many parts as it
 * cost: to look through all that one step may costs as much as all parts of one.
 */
function* lookThrough(query: {
  id: ConversationId;
  terms: SearchQuery['terms'];
  from: number;
  before: number;
  limit: number;
}): Query<{ seqs: number[]; isWhole: boolean; parts: number }> {
  const seqs: number[] = [];
  let { before } = query;
  let characters = 0;
  let looked = 0;
  const outcome = (isWhole: boolean) => {
    const share = Math.max(looked / step.unindexed, characters / step.characters);
    return { seqs, isWhole, parts: Math.ceil(share * step.parts) };
  };
  while (looked < step.unindexed && characters < step.characters) {
    const page = yield* rows(unindexed, { id: query.id, from: query.from, before, limit: rowsAtOnce });
    for (const { seq, body } of page) {
      looked += 1;
      characters += body?.length ?? 0;
      before = seq;
      if (body !== null && hasTerms(body, query.terms)) seqs.push(seq);
      // The next step goes on from there.
      if (seqs.length >= query.limit) return outcome(true);
    }
    if (page.length < rowsAtOnce) return outcome(true);
  }
  return outcome(before <= query.from);
}

function* read(id: ConversationId, seqs: readonly number[]): Query<FoundMessage[]> {
  const matches: FoundMessage[] = [];
  for (const seq of seqs) {
    const row = yield* first(found, { id, seq });
    // It may have been erased since.
    if (!row || row.body === null) continue;
    matches.push({
      seq: row.seq,
      id: row.id as MessageId,
      sender: row.username as Username,
      sentAt: row.sent_at,
      latestAt: row.latest_at,
      body: bodyOf(row),
    });
  }
  return matches;
}
