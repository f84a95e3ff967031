import type { KeyBackup, KeyBackupChange } from '../../../core/e2ee/key-backup.ts';
import type { UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { PublishedKeyRecord } from '../../../core/ports/store/keys.ts';
import { first, type Query, rows, statement } from '../statement.ts';
import { accountById } from './accounts.ts';

const newest = statement((db, p: { username: string }) =>
  db
    .selectFrom('users')
    .leftJoin('account_keys', 'account_keys.user_id', 'users.id')
    .select(['users.id', 'seq', 'record'])
    .where('username', '=', p.username)
    .where('erased_at', 'is', null)
    .orderBy('seq', 'desc')
    .limit(1),
);
const ofNumber = statement((db, p: { userId: string; seq: number }) =>
  db.selectFrom('account_keys').select('record').where('user_id', '=', p.userId).where('seq', '=', p.seq),
);
const newestSeq = statement((db, p: { userId: string }) =>
  db
    .selectFrom('account_keys')
    .select((e) => e.fn.max('seq').as('seq'))
    .where('user_id', '=', p.userId),
);
const insertRecord = statement((db, p: { userId: string; seq: number; record: string; now: number }) =>
  db
    .insertInto('account_keys')
    .values({ user_id: p.userId, seq: p.seq, record: p.record, published_at: p.now }),
);
const backupOf = statement((db, p: { userId: string }) =>
  db
    .selectFrom('key_backups')
    .select(['version', 'contents', 'recovery_wrap', 'password_wrap'])
    .where('user_id', '=', p.userId),
);
interface BackupRow {
  userId: string;
  version: number;
  contents: string;
  recoveryWrap: string;
  passwordWrap: string | null;
}
const insertBackup = statement((db, p: BackupRow) =>
  db.insertInto('key_backups').values({
    user_id: p.userId,
    version: p.version,
    contents: p.contents,
    recovery_wrap: p.recoveryWrap,
    password_wrap: p.passwordWrap,
  }),
);
const updateBackup = statement((db, p: BackupRow) =>
  db
    .updateTable('key_backups')
    .set({
      version: p.version,
      contents: p.contents,
      recovery_wrap: p.recoveryWrap,
      password_wrap: p.passwordWrap,
    })
    .where('user_id', '=', p.userId),
);

const setPasswordWrap = statement((db, p: { userId: string; version: number; passwordWrap: string | null }) =>
  db
    .updateTable('key_backups')
    .set({ version: p.version, password_wrap: p.passwordWrap })
    .where('user_id', '=', p.userId),
);
const recordsAfter = statement((db, p: { userId: string; after: number; limit: number }) =>
  db
    .selectFrom('account_keys')
    .select(['seq', 'record', 'published_at'])
    .where('user_id', '=', p.userId)
    .where('seq', '>', p.after)
    .orderBy('seq')
    .limit(p.limit),
);

/** Store.publishKeyRecord */
export function* publishKeyRecord(added: {
  userId: UserId;
  seq: number;
  record: string;
  now: number;
  backup?: (KeyBackupChange & { readonly version: number }) | undefined;
}): Query<'published' | 'other-record' | 'other-backup'> {
  const { backup, ...record } = added;
  // A call of a session that was under way when its account was erased leaves nothing behind.
  if (!(yield* accountById(added.userId))) return 'other-record';
  const last = yield* first(newestSeq, { userId: added.userId });
  if ((last?.seq ?? 0) !== added.seq - 1) return 'other-record';
  if (
    backup &&
    (yield* putKeyBackup({ userId: added.userId, version: backup.version, backup })) === undefined
  )
    return 'other-backup';
  yield* rows(insertRecord, record);
  return 'published';
}

/** Store.keyRecord */
export function* keyRecord(query: {
  username: Username;
  seq?: number | undefined;
}): Query<{ newestSeq: number; record: string | undefined } | undefined> {
  const found = yield* first(newest, { username: query.username });
  if (!found) return undefined;
  const { id: userId, seq: last, record } = found;
  if (query.seq === undefined || query.seq === last) {
    return { newestSeq: last ?? 0, record: record ?? undefined };
  }
  const asked = yield* first(ofNumber, { userId, seq: query.seq });
  return { newestSeq: last ?? 0, record: asked?.record };
}

/** Store.putKeyBackup */
export function* putKeyBackup(put: {
  userId: UserId;
  version: number;
  backup: KeyBackupChange;
}): Query<number | undefined> {
  const { userId, backup } = put;
  if (!(yield* accountById(userId))) return undefined;
  const current = yield* first(backupOf, { userId });
  if ((current?.version ?? 0) !== put.version) return undefined;
  const contents = backup.contents ?? current?.contents;
  const recoveryWrap = backup.recovery_wrap ?? current?.recovery_wrap;
  if (contents === undefined || recoveryWrap === undefined) return undefined;
  const { password_wrap: wrap = current?.password_wrap ?? null } = backup;
  const row = { userId, version: put.version + 1, contents, recoveryWrap, passwordWrap: wrap };
  yield* rows(current ? updateBackup : insertBackup, row);
  return row.version;
}

/** Store.keyBackup */
export function* keyBackup(query: {
  userId: UserId;
}): Query<{ version: number; backup: KeyBackup } | undefined> {
  const row = yield* first(backupOf, query);
  if (!row) return undefined;
  const { version, contents, recovery_wrap, password_wrap } = row;
  return { version, backup: { contents, recovery_wrap, password_wrap: password_wrap ?? undefined } };
}

/** From now on no password opens the backup: the recovery key alone does. */
export function* dropPasswordWrap(userId: UserId): Query<void> {
  const current = yield* first(backupOf, { userId });
  if (!current) return;
  yield* rows(setPasswordWrap, { userId, version: current.version + 1, passwordWrap: null });
}

/** Store.keyRecords */
export function* keyRecords(query: {
  userId: UserId;
  after: number;
  limit: number;
}): Query<PublishedKeyRecord[]> {
  return (yield* rows(recordsAfter, query)).map(({ seq, record, published_at: publishedAt }) => ({
    seq,
    record,
    publishedAt,
  }));
}
