import { equalDigests } from '../../../core/crypto/bytes.ts';
import type { SharedChange, SharedName } from '../../../core/ports/store/settings.ts';
import { first, type Query, rows, statement } from '../statement.ts';

const kept = statement((db, p: { name: string }) =>
  db.selectFrom('settings').select('value').where('name', '=', p.name),
);
const insert = statement((db, p: { name: string; value: Uint8Array }) =>
  db.insertInto('settings').values({ name: p.name, value: p.value }),
);
const replace = statement((db, p: { name: string; value: Uint8Array }) =>
  db.updateTable('settings').set({ value: p.value }).where('name', '=', p.name),
);

const rowOf = (name: SharedName): string => `shared_${name}`;

/** Store.shared */
export function* shared(name: SharedName): Query<Uint8Array | undefined> {
  return (yield* first(kept, { name: rowOf(name) }))?.value as Uint8Array | undefined;
}

/** Store.share */
export function* share({ name, value, instead }: SharedChange): Query<Uint8Array> {
  const now = yield* shared(name);
  const isAsKnown = now && instead ? equalDigests(now, instead) : now === instead;
  if (now && !isAsKnown) return now;
  yield* rows(now ? replace : insert, { name: rowOf(name), value });
  return value;
}
