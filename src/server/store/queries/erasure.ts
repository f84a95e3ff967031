import type { AuditEntry } from '../../../core/audit.ts';
import type { AuditChain } from '../../../core/audit-chain.ts';
import type { SessionId, UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { ErasureRequest, ErasureStep } from '../../../core/ports/store/erasure.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { hasAnotherAdministrator } from './another-administrator.ts';
import { appendAudit } from './audit.ts';
import { endSessions } from './end-sessions.ts';
import { eraseText, noteErased } from './erased-text.ts';
import type { Memory } from './memory.ts';
import { placeText, readPlace, stretchAfter } from './sent-places.ts';

/** Messages that one piece of an erasure looks at: at most 8 MB of text, so that nobody waits long for it. */
const messagesAtOnce = 500;
/** Rows of anything else that one piece takes. */
const rowsAtOnce = 500;

const userOf = statement((db, p: { userId: string }) =>
  db.selectFrom('users').select(['is_admin', 'erased_at', 'erases_at']).where('id', '=', p.userId),
);
const setErasesAt = statement((db, p: { userId: string; dueAt: number | null }) =>
  db.updateTable('users').set({ erases_at: p.dueAt }).where('id', '=', p.userId),
);
const insertErasure = statement((db, p: { userId: string }) =>
  db.insertInto('erasures').values({ user_id: p.userId, place: null }),
);
const deleteErasure = statement((db, p: { userId: string }) =>
  db.deleteFrom('erasures').where('user_id', '=', p.userId),
);
const movePlace = statement((db, p: { userId: string; place: string }) =>
  db.updateTable('erasures').set({ place: p.place }).where('user_id', '=', p.userId),
);
const due = statement((db, p: { now: number; skip: number }) =>
  db
    .selectFrom('erasures')
    // SQLite keeps this order: by itself it would go through all accounts.
    .crossJoin('users')
    .select(['user_id', 'place', 'username', 'erased_at'])
    .whereRef('users.id', '=', 'erasures.user_id')
    .where('erases_at', '<=', p.now)
    .orderBy('erases_at')
    .orderBy('user_id')
    .limit(1)
    .offset(p.skip),
);
const buryUser = statement((db, p: { userId: string; now: number }) =>
  db
    .updateTable('users')
    .set({
      erased_at: p.now,
      email: null,
      email_key: null,
      email_verified_at: null,
      disabled_at: null,
      factor_taken_at: null,
      is_admin: 0,
      privacy: 'private',
      created_at: 0,
    })
    .where('id', '=', p.userId),
);
const deleteCredential = statement((db, p: { userId: string }) =>
  db.deleteFrom('credentials').where('user_id', '=', p.userId),
);

interface Part {
  readonly userId: string;
  readonly limit: number;
}

/** What an account has besides its messages, each as a bounded deletion; a new table that knows an account adds its own. */
const parts = [
  // One row of each, and at most ten.
  statement((db, p: Part) => db.deleteFrom('key_backups').where('user_id', '=', p.userId)),
  statement((db, p: Part) => db.deleteFrom('totp').where('user_id', '=', p.userId)),
  statement((db, p: Part) => db.deleteFrom('recovery_codes').where('user_id', '=', p.userId)),
  statement((db, p: Part) =>
    db
      .deleteFrom('certificates')
      .where('id', 'in', (of) =>
        of.selectFrom('certificates').select('id').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('invites')
      .where('id', 'in', (of) =>
        of.selectFrom('invites').select('id').where('created_by', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('codes')
      .where('hash', 'in', (of) =>
        of.selectFrom('codes').select('hash').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('devices')
      .where('id', 'in', (of) =>
        of.selectFrom('devices').select('id').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('members')
      .where('user_id', '=', p.userId)
      .where('conversation_id', 'in', (of) =>
        of.selectFrom('members').select('conversation_id').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('account_keys')
      .where('user_id', '=', p.userId)
      .where('seq', 'in', (of) =>
        of.selectFrom('account_keys').select('seq').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
  statement((db, p: Part) =>
    db
      .deleteFrom('consents')
      .where('user_id', '=', p.userId)
      .where('digest', 'in', (of) =>
        of.selectFrom('consents').select('digest').where('user_id', '=', p.userId).limit(p.limit),
      ),
  ),
];

/** Store.isLastAdministrator */
export function* isLastAdministrator({ userId }: { userId: UserId }): Query<boolean> {
  const user = yield* first(userOf, { userId });
  return user?.is_admin === 1 && !(yield* hasAnotherAdministrator(userId));
}

/** Store.requestErasure */
export function* requestErasure(wish: { userId: UserId; dueAt: number }): Query<ErasureRequest> {
  const { userId } = wish;
  const user = yield* first(userOf, { userId });
  if (user?.erased_at !== null) return { kind: 'no-account' };
  if (yield* isLastAdministrator({ userId })) return { kind: 'last-admin' };
  const known = user.erases_at;
  if (known === null) {
    yield* rows(setErasesAt, wish);
    yield* rows(insertErasure, wish);
  }
  const ended = yield* endSessions({ userId });
  return { kind: known === null ? 'asked' : 'repeated', dueAt: known ?? wish.dueAt, ended };
}

/** Store.cancelErasure */
export function* cancelErasure({ userId }: { userId: UserId }): Query<boolean> {
  const user = yield* first(userOf, { userId });
  if (user?.erased_at !== null) return false;
  yield* rows(setErasesAt, { userId, dueAt: null });
  return (yield* changes(deleteErasure, { userId })) === 1;
}

/**
 * True when the next piece is texts: these are kept apart from who sends by the conversation's lock, and everything else by the order that
 * the database gives to transactions.
 */
export function* erasesText({ now, skip }: { now: number; skip: number }): Query<boolean> {
  const found = yield* first(due, { now, skip });
  if (!found || found.erased_at === null) return false;
  const userId = found.user_id as UserId;
  return (yield* stretchAfter(userId, readPlace(found.place), messagesAtOnce)) !== undefined;
}

/** Store.eraseNext */
export function* eraseNext(
  { now, skip, chain }: { now: number; skip: number; chain: AuditChain },
  memory: Memory,
): Query<ErasureStep> {
  const found = yield* first(due, { now, skip });
  if (!found) return { kind: 'none' };
  const userId = found.user_id as UserId;
  const username = found.username as Username;
  yield* noteErased();
  if (found.erased_at === null) {
    const ended: SessionId[] = yield* endSessions({ userId });
    yield* rows(deleteCredential, { userId });
    yield* rows(buryUser, { userId, now });
    // Where it may write is remembered, and who may write to it.
    memory.forget();
    return { kind: 'begun', username, ended };
  }
  const stretch = yield* stretchAfter(userId, readPlace(found.place), messagesAtOnce);
  if (stretch) {
    yield* eraseText({ ...stretch, senderId: userId });
    yield* rows(movePlace, { userId, place: placeText(stretch.place) });
    return { kind: 'going-on' };
  }
  for (const part of parts) {
    if ((yield* changes(part, { userId, limit: rowsAtOnce })) > 0) return { kind: 'going-on' };
  }
  yield* rows(deleteErasure, { userId });
  // With what it says, or not at all: a server that is killed now would never say it.
  const entry: AuditEntry = {
    at: now,
    operation: 'account.erased',
    user: username,
    door: undefined,
    address: undefined,
    outcome: 'ok',
  };
  yield* appendAudit({ entries: [entry], chain });
  return { kind: 'finished', entry };
}
