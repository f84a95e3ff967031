import { equalDigests } from '../../../core/crypto/bytes.ts';
import { first, type Query, rows, statement } from '../statement.ts';

const name = 'admin_claim';
const offered = statement((db) => db.selectFrom('settings').select('value').where('name', '=', name));
const insert = statement((db, p: { codeHash: Uint8Array }) =>
  db.insertInto('settings').values({ name, value: p.codeHash }),
);
const remove = statement((db) => db.deleteFrom('settings').where('name', '=', name));

/** Puts a digest in the place of an older one. */
export function* putClaim(codeHash: Uint8Array): Query<void> {
  yield* dropClaim();
  yield* rows(insert, { codeHash });
}

/** Makes every code worthless. */
export function* dropClaim(): Query<void> {
  yield* rows(remove, {});
}

/** True for the digest that was put last, unless it was dropped. */
export function* isClaim(codeHash: Uint8Array): Query<boolean> {
  const found = yield* first(offered, {});
  return found !== undefined && equalDigests(found.value as Uint8Array, codeHash);
}
