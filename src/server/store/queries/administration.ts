import type { Account } from '../../../core/model/account.ts';
import type { UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { DisabledAccount } from '../../../core/ports/store/administration.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { account, accountColumns, accountOf } from './accounts.ts';
import { hasAnotherAdministrator } from './another-administrator.ts';
import { dropClaim, isClaim, putClaim } from './claim.ts';
import { endSessions } from './end-sessions.ts';

const page = statement((db, p: { after: string; limit: number }) =>
  db
    .selectFrom('users')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(accountColumns)
    .where('username', '>', p.after)
    .where('erased_at', 'is', null)
    .orderBy('username')
    .limit(p.limit),
);
const anAdministrator = statement((db) =>
  db.selectFrom('users').select('id').where('is_admin', '=', 1).limit(1),
);
const setAdmin = statement((db, p: { userId: string; isAdmin: 0 | 1 }) =>
  db.updateTable('users').set({ is_admin: p.isAdmin }).where('id', '=', p.userId),
);
const setDisabled = statement((db, p: { userId: string; disabledAt: number | null }) =>
  db.updateTable('users').set({ disabled_at: p.disabledAt }).where('id', '=', p.userId),
);

/** Store.accounts */
export function* accounts(query: { after: string; limit: number }): Query<Account[]> {
  return (yield* rows(page, query)).map(accountOf);
}

/** Store.offerClaim */
export function* offerClaim({ codeHash }: { codeHash: Uint8Array }): Query<boolean> {
  if (yield* first(anAdministrator, {})) return false;
  yield* putClaim(codeHash);
  return true;
}

/** Store.claimAdministration */
export function* claimAdministration({
  codeHash,
  userId,
}: {
  codeHash: Uint8Array;
  userId: UserId;
}): Query<'claimed' | 'wrong' | 'taken'> {
  if (yield* first(anAdministrator, {})) return 'taken';
  if (!(yield* isClaim(codeHash))) return 'wrong';
  yield* rows(setAdmin, { userId, isAdmin: 1 });
  yield* dropClaim();
  return 'claimed';
}

/** Store.setAdministrator */
export function* setAdministrator({
  username,
  isAdmin,
}: {
  username: Username;
  isAdmin: boolean;
}): Query<'done' | 'missing' | 'last-administrator'> {
  const found = yield* account(username);
  if (!found) return 'missing';
  if (!isAdmin && (yield* isLast(found))) return 'last-administrator';
  yield* rows(setAdmin, { userId: found.id, isAdmin: isAdmin ? 1 : 0 });
  return 'done';
}

/** Store.disableAccount */
export function* disableAccount({
  username,
  now,
}: {
  username: Username;
  now: number;
}): Query<DisabledAccount> {
  const found = yield* account(username);
  if (!found) return { kind: 'missing' };
  if (yield* isLast(found)) return { kind: 'last-administrator' };
  yield* rows(setDisabled, { userId: found.id, disabledAt: found.disabledAt ?? now });
  return { kind: 'disabled', ended: yield* endSessions({ userId: found.id }) };
}

/** Store.enableAccount */
export function* enableAccount({ username }: { username: Username }): Query<boolean> {
  const found = yield* account(username);
  if (!found) return false;
  yield* rows(setDisabled, { userId: found.id, disabledAt: null });
  return true;
}

/** True for the one administrator who can log in. */
function* isLast({ id, isAdmin, disabledAt }: Account): Query<boolean> {
  if (!isAdmin || disabledAt !== null) return false;
  return !(yield* hasAnotherAdministrator(id));
}
