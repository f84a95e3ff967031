import type { StoreCounts } from '../../../core/ports/store/administration.ts';
import { first, type Query, statement } from '../statement.ts';

const ofUsers = statement((db) =>
  db
    .selectFrom('users')
    .select((e) => [e.fn.countAll().as('all'), e.fn.count('disabled_at').as('disabled')])
    .where('erased_at', 'is', null),
);
const ofSessions = statement((db) => db.selectFrom('sessions').select((e) => e.fn.countAll().as('all')));
const ofConversations = statement((db) =>
  db
    .selectFrom('conversations')
    .select((e) => [
      e.fn.countAll().as('all'),
      e.fn.count('room').as('rooms'),
      e.fn.sum('last_seq').as('messages'),
    ]),
);

/** Store.counts */
export function* counts(): Query<StoreCounts> {
  const users = yield* first(ofUsers, {});
  const sessions = yield* first(ofSessions, {});
  const conversations = yield* first(ofConversations, {});
  const rooms = Number(conversations?.rooms);
  return {
    accounts: Number(users?.all),
    disabled: Number(users?.disabled),
    sessions: Number(sessions?.all),
    rooms,
    directs: Number(conversations?.all) - rooms,
    messages: Number(conversations?.messages),
  };
}
