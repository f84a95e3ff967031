import { equalDigests } from '../../../core/crypto/bytes.ts';
import type { Account } from '../../../core/model/account.ts';
import type { UserId } from '../../../core/model/ids.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { accountColumns, accountOf } from './accounts.ts';

const page = statement((db, p: { after: string; limit: number }) =>
  db
    .selectFrom('users')
    .select(accountColumns)
    .where('username', '>', p.after)
    .where('erased_at', 'is', null)
    .orderBy('username')
    .limit(p.limit),
);
const anAdministrator = statement((db) =>
  db.selectFrom('users').select('id').where('is_admin', '=', 1).limit(1),
);
const makeAdministrator = statement((db, p: { userId: string }) =>
  db.updateTable('users').set({ is_admin: 1 }).where('id', '=', p.userId),
);
const claimName = 'admin_claim';
const claim = statement((db) => db.selectFrom('settings').select('value').where('name', '=', claimName));
const insertClaim = statement((db, p: { codeHash: Uint8Array }) =>
  db.insertInto('settings').values({ name: claimName, value: p.codeHash }),
);
const deleteClaim = statement((db) => db.deleteFrom('settings').where('name', '=', claimName));

/** Store.accounts */
export function* accounts(query: { after: string; limit: number }): Query<Account[]> {
  return (yield* rows(page, query)).map(accountOf);
}

/** Store.offerClaim */
export function* offerClaim({ codeHash }: { codeHash: Uint8Array }): Query<boolean> {
  yield* rows(deleteClaim, {});
  if (yield* first(anAdministrator, {})) return false;
  yield* rows(insertClaim, { codeHash });
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
  const offered = yield* first(claim, {});
  if (!offered || !equalDigests(offered.value as Uint8Array, codeHash)) return 'wrong';
  yield* rows(makeAdministrator, { userId });
  yield* rows(deleteClaim, {});
  return 'claimed';
}
