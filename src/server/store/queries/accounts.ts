import type { Account, Verifier } from '../../../core/model/account.ts';
import { lobby } from '../../../core/model/conversation-name.ts';
import type { UserId } from '../../../core/model/ids.ts';
import type { Username } from '../../../core/model/username.ts';
import type { CreatedAccount, NewAccount } from '../../../core/ports/store/accounts.ts';
import type { ServerSettings } from '../../../core/ports/store/settings.ts';
import type { NearestCredential } from '../nearest-credential.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { bindKey, isKeyTaken } from './certificate-keys.ts';
import { addConsent } from './consents.ts';
import { admitting, useInvite } from './invites.ts';

const setting = statement((db, p: { name: string }) =>
  db.selectFrom('settings').select('value').where('name', '=', p.name),
);
const insertSetting = statement((db, p: { name: string; value: string | Uint8Array }) =>
  db.insertInto('settings').values({ name: p.name, value: p.value }),
);
/** What {@link accountOf} makes an account of: of `users`, joined on the left with `totp`. */
export const accountColumns = [
  'users.id',
  'username',
  'email',
  'email_verified_at',
  'privacy',
  'is_admin',
  'disabled_at',
  'factor_taken_at',
  'created_at',
  'erased_at',
  'erases_at',
  'totp.confirmed_at',
] as const;
/** A tombstone too: its name is taken. */
const byName = statement((db, p: { username: string }) =>
  db
    .selectFrom('users')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(accountColumns)
    .where('username', '=', p.username),
);
const byId = statement((db, p: { id: string }) =>
  db
    .selectFrom('users')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(accountColumns)
    .where('users.id', '=', p.id),
);
const byEmail = statement((db, p: { emailKey: string }) =>
  db.selectFrom('users').select(['id', 'username']).where('email_key', '=', p.emailKey),
);
/** Always one row, and always the same two look-ups, whether somebody has the name or nobody. */
const nearestName = statement((db, p: { username: string }) =>
  db.selectNoFrom((e) => [
    e
      .selectFrom('users')
      .select((of) => of.fn.min('username').as('name'))
      .where('username', '>=', p.username)
      .where('erased_at', 'is', null)
      .as('next'),
    e
      .selectFrom('users')
      .select((of) => of.fn.max('username').as('name'))
      .where('erased_at', 'is', null)
      .as('last'),
  ]),
);
const withCredential = statement((db, p: { username: string }) =>
  db
    .selectFrom('users')
    .innerJoin('credentials', 'credentials.user_id', 'users.id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select([...accountColumns, 'suite', 'salt', 'cost', 'stored_key', 'server_key'])
    .where('username', '=', p.username),
);
const insertUser = statement(
  (
    db,
    p: {
      id: string;
      username: string;
      email: string | null;
      emailKey: string | null;
      emailVerifiedAt: number | null;
      privacy: Account['privacy'];
      isAdmin: 0 | 1;
      disabledAt: number | null;
      now: number;
    },
  ) =>
    db.insertInto('users').values({
      id: p.id,
      username: p.username,
      email: p.email,
      email_key: p.emailKey,
      email_verified_at: p.emailVerifiedAt,
      privacy: p.privacy,
      is_admin: p.isAdmin,
      disabled_at: p.disabledAt,
      created_at: p.now,
    }),
);
const insertCredential = statement((db, p: Verifier & { userId: string }) =>
  db.insertInto('credentials').values({
    user_id: p.userId,
    suite: p.suite,
    salt: p.salt,
    cost: p.cost,
    stored_key: p.storedKey,
    server_key: p.serverKey,
  }),
);
const updateCredential = statement((db, p: Verifier & { userId: string; replaces: Uint8Array }) =>
  db
    .updateTable('credentials')
    .set({
      suite: p.suite,
      salt: p.salt,
      cost: p.cost,
      stored_key: p.storedKey,
      server_key: p.serverKey,
    })
    .where('user_id', '=', p.userId)
    .where('stored_key', '=', p.replaces),
);
/** Says who has seen the account's password. */
export const setPrivacy = statement((db, p: { userId: string; privacy: Account['privacy'] }) =>
  db.updateTable('users').set({ privacy: p.privacy }).where('id', '=', p.userId),
);
const deleteCredential = statement((db, p: { userId: string }) =>
  db.deleteFrom('credentials').where('user_id', '=', p.userId),
);
const enterRoom = statement((db, p: { userId: string; room: string; now: number }) =>
  db
    .insertInto('members')
    .columns(['conversation_id', 'user_id', 'read_seq', 'joined_at'])
    .expression(
      db
        .selectFrom('conversations')
        .select((e) => [
          'id',
          e.cast<string>(e.val(p.userId), 'text').as('user_id'),
          'last_seq',
          e.cast<number>(e.val(p.now), 'bigint').as('joined_at'),
        ])
        .where('room', '=', p.room),
    ),
);
const names = statement((db, p: { after: string; limit: number }) =>
  db
    .selectFrom('users')
    .select('username')
    .where('username', '>', p.after)
    .where('erased_at', 'is', null)
    .orderBy('username')
    .limit(p.limit),
);

/** The settings that a server has made at its first start. */
export function* storedSettings(): Query<ServerSettings | undefined> {
  const realm = yield* first(setting, { name: 'realm' });
  const secret = yield* first(setting, { name: 'server_secret' });
  if (!realm || !secret) return undefined;
  return { realm: textOf(realm.value), serverSecret: secret.value as Uint8Array };
}

/** A text as one database keeps it, or as the bytes that another keeps. */
function textOf(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : new TextDecoder().decode(value);
}

/** Store.settings */
export function* settings(fresh: ServerSettings): Query<ServerSettings> {
  const stored = yield* storedSettings();
  if (stored) return stored;
  yield* rows(insertSetting, { name: 'realm', value: fresh.realm });
  yield* rows(insertSetting, { name: 'server_secret', value: fresh.serverSecret });
  return fresh;
}

/** Store.createAccount */
export function* createAccount({
  account,
  verifier,
  certificate,
  admission,
  consent,
  isNamedByEmail = false,
}: NewAccount): Query<CreatedAccount> {
  const admitted = admission && (yield* admitting(admission));
  // Before anything else: who is not let in does not learn which names are taken.
  if (admission && !admitted) return { kind: 'not-admitted' };
  if (yield* first(byName, { username: account.username })) return { kind: 'taken', field: 'username' };
  const emailKey = account.email === null ? null : yield* freeEmailKey(account.email, account.id);
  if (isNamedByEmail && emailKey === null) return { kind: 'taken', field: 'email' };
  if (certificate && (yield* isKeyTaken(certificate.keyHash))) return { kind: 'taken', field: 'certificate' };
  yield* rows(insertUser, {
    id: account.id,
    username: account.username,
    email: account.email,
    emailKey,
    emailVerifiedAt: account.emailVerifiedAt,
    privacy: account.privacy,
    isAdmin: account.isAdmin ? 1 : 0,
    disabledAt: account.disabledAt,
    now: account.createdAt,
  });
  yield* rows(insertCredential, { ...verifier, userId: account.id });
  if (certificate) yield* bindKey({ ...certificate, userId: account.id });
  yield* rows(enterRoom, { userId: account.id, room: lobby, now: account.createdAt });
  if (consent) yield* addConsent({ ...consent, userId: account.id });
  if (admitted?.kind === 'invite') yield* useInvite(admitted.id);
  return { kind: 'created' };
}

/** Store.account */
export function* account(username: Username): Query<Account | undefined> {
  const row = yield* first(byName, { username });
  return row?.erased_at === null ? accountOf(row) : undefined;
}

/** The account of an id. */
export function* accountById(id: string): Query<Account | undefined> {
  const row = yield* first(byId, { id });
  return row?.erased_at === null ? accountOf(row) : undefined;
}

/** Puts a verifier in the place of whichever the account has, and says who has seen its password. */
export function* putCredential(change: {
  userId: UserId;
  verifier: Verifier;
  privacy: Account['privacy'];
}): Query<void> {
  const { userId, verifier, privacy } = change;
  yield* rows(deleteCredential, { userId });
  yield* rows(insertCredential, { ...verifier, userId });
  yield* rows(setPrivacy, { userId, privacy });
}

/** Store.isNameTaken */
export function* isNameTaken(username: Username): Query<boolean> {
  return (yield* first(byName, { username })) !== undefined;
}

/** Store.usernameByEmail */
export function* usernameByEmail(email: string): Query<Username | undefined> {
  const row = yield* first(byEmail, { emailKey: emailKeyOf(email) });
  return row && (row.username as Username);
}

/**
 * Store.credential, before `askedCredential`: a name that nobody has is answered with its neighbour's row, so that both run the
 * same statements and send as much to the caller's thread (security 1.8). Undefined only where there is no account at all.
 */
export function* credential(username: Username): Query<NearestCredential | undefined> {
  const nearest = yield* first(nearestName, { username });
  const row = yield* first(withCredential, { username: nearest?.next ?? nearest?.last ?? '' });
  if (!row) return undefined;
  const { suite, salt, cost, stored_key: storedKey, server_key: serverKey } = row;
  return {
    isAsked: row.username === username,
    account: accountOf(row),
    verifier: { suite, salt, cost, storedKey, serverKey },
  };
}

/** Store.replaceVerifier */
export function* replaceVerifier(change: {
  userId: UserId;
  replaces: Uint8Array;
  verifier: Verifier;
}): Query<boolean> {
  const { userId, replaces, verifier } = change;
  return (yield* changes(updateCredential, { ...verifier, userId, replaces })) === 1;
}

/** Store.usernames */
export function* usernames(page: { after: string; limit: number }): Query<Username[]> {
  return (yield* rows(names, page)).map((row) => row.username as Username);
}

/** By which an e-mail address is found, whatever its case. */
export function emailKeyOf(email: string): string {
  return email.toLowerCase();
}

/** The key by which an address leads to an account from now on; null while it leads to another one. */
export function* freeEmailKey(email: string, userId: UserId): Query<string | null> {
  const emailKey = emailKeyOf(email);
  const holder = yield* first(byEmail, { emailKey });
  return holder === undefined || holder.id === userId ? emailKey : null;
}

/** An account from its row. */
export function accountOf(row: {
  id: string;
  username: string;
  email: string | null;
  email_verified_at: number | null;
  privacy: Account['privacy'];
  is_admin: 0 | 1;
  disabled_at: number | null;
  factor_taken_at: number | null;
  created_at: number;
  erases_at: number | null;
  confirmed_at: number | null;
}): Account {
  return {
    id: row.id as UserId,
    username: row.username as Username,
    email: row.email,
    emailVerifiedAt: row.email_verified_at,
    privacy: row.privacy,
    isAdmin: row.is_admin === 1,
    disabledAt: row.disabled_at,
    hasSecondFactor: row.confirmed_at !== null,
    createdAt: row.created_at,
    ...(row.factor_taken_at === null ? {} : { factorTakenAt: row.factor_taken_at }),
    ...(row.erases_at === null ? {} : { erasesAt: row.erases_at }),
  };
}
