import type { Account, Verifier } from '../../../core/model/account.ts';
import type { NewCertificate } from '../../../core/model/certificate.ts';
import type { Code, CodeKind } from '../../../core/model/code.ts';
import type { SessionId, UserId } from '../../../core/model/ids.ts';
import type { VerifiedEmail } from '../../../core/ports/store/codes.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { accountById, emailKeyOf, freeEmailKey, putCredential } from './accounts.ts';
import { bindKey, isKeyTaken } from './certificate-keys.ts';
import { revokeCertificates } from './certificates.ts';
import { endSessions } from './end-sessions.ts';
import { dropPasswordWrap } from './keys.ts';

/** The kinds that set a new password. */
const resetKinds: readonly CodeKind[] = ['reset-by-mail', 'reset-by-admin'];

const insertCode = statement(
  (db, p: { hash: Uint8Array; kind: CodeKind; userId: string; email: string | null; expiresAt: number }) =>
    db.insertInto('codes').values({
      hash: p.hash,
      kind: p.kind,
      user_id: p.userId,
      email: p.email,
      expires_at: p.expiresAt,
    }),
);
const byHash = statement((db, p: { hash: Uint8Array }) =>
  db
    .selectFrom('codes')
    .select(['hash', 'kind', 'user_id', 'email', 'expires_at'])
    .where('hash', '=', p.hash),
);
const deleteCode = statement((db, p: { hash: Uint8Array }) =>
  db.deleteFrom('codes').where('hash', '=', p.hash),
);
const deleteOfKind = statement((db, p: { userId: string; kind: CodeKind }) =>
  db.deleteFrom('codes').where('user_id', '=', p.userId).where('kind', '=', p.kind),
);
const expired = statement((db, p: { now: number; limit: number }) =>
  db.selectFrom('codes').select('hash').where('expires_at', '<=', p.now).limit(p.limit),
);
const emailHolder = statement((db, p: { emailKey: string }) =>
  db.selectFrom('users').select(['id', 'email_verified_at']).where('email_key', '=', p.emailKey),
);
const setEmailKey = statement((db, p: { userId: string; emailKey: string | null }) =>
  db.updateTable('users').set({ email_key: p.emailKey }).where('id', '=', p.userId),
);
const verified = statement((db, p: { userId: string; now: number }) =>
  db.updateTable('users').set({ email_verified_at: p.now }).where('id', '=', p.userId),
);
const replaceEmail = statement((db, p: { userId: string; email: string; emailKey: string | null }) =>
  db
    .updateTable('users')
    .set({ email: p.email, email_key: p.emailKey, email_verified_at: null })
    .where('id', '=', p.userId)
    .where('erased_at', 'is', null),
);

/** What one sweep takes at most. */
const sweptAtOnce = 1_000;

/** Store.putCode */
export function* putCode(code: Code): Query<boolean> {
  if (!(yield* accountById(code.userId))) return false;
  yield* rows(deleteOfKind, { userId: code.userId, kind: code.kind });
  yield* rows(insertCode, code);
  return true;
}

/** Store.accountOfResetCode */
export function* accountOfResetCode(query: { hash: Uint8Array; now: number }): Query<Account | undefined> {
  return yield* resetCodeOwner(query);
}

/** Store.resetPassword */
export function* resetPassword(reset: {
  hash: Uint8Array;
  now: number;
  verifier: Verifier;
  privacy: Account['privacy'];
  certificate?: NewCertificate | undefined;
}): Query<{ account: Account; ended: SessionId[] } | undefined> {
  const { hash, now, verifier, privacy, certificate } = reset;
  const account = yield* resetCodeOwner({ hash, now });
  if (!account) return undefined;
  if (certificate && (yield* isKeyTaken(certificate.keyHash))) return undefined;
  const { id: userId } = account;
  yield* dropResetCodes(userId);
  // Who has lost a key, or has had it stolen, is in the same place as who has forgotten a password.
  yield* revokeCertificates({ userId, now });
  if (certificate) yield* bindKey({ ...certificate, userId });
  yield* putCredential({ userId, verifier, privacy });
  // Nobody has shown the old password: what was sealed with it is not to be opened with it for ever.
  yield* dropPasswordWrap(userId);
  return { account: { ...account, privacy }, ended: yield* endSessions({ userId }) };
}

/** Kills the codes that would set a new password: another one has been set. */
export function* dropResetCodes(userId: UserId): Query<void> {
  for (const kind of resetKinds) yield* rows(deleteOfKind, { userId, kind });
}

/** Store.verifyEmail */
export function* verifyEmail(take: {
  hash: Uint8Array;
  userId: UserId;
  now: number;
}): Query<VerifiedEmail | undefined> {
  const { hash, userId, now } = take;
  const code = yield* first(byHash, { hash });
  if (code?.kind !== 'verify-email' || code.user_id !== userId) return undefined;
  if (now >= code.expires_at || code.email === null) return undefined;
  const { email } = code;
  const emailKey = emailKeyOf(email);
  const holder = yield* first(emailHolder, { emailKey });
  const isAnothers = holder !== undefined && holder.id !== userId;
  if (isAnothers && holder.email_verified_at !== null) return { kind: 'taken' };
  yield* rows(deleteCode, { hash });
  if ((yield* accountById(userId))?.email !== email) return undefined;
  // Whoever gave it without having it keeps the words, and learns nothing: they lead nowhere any more.
  if (isAnothers) yield* rows(setEmailKey, { userId: holder.id, emailKey: null });
  yield* rows(setEmailKey, { userId, emailKey });
  yield* rows(verified, { userId, now });
  return { kind: 'confirmed', email };
}

/** Store.setEmail */
export function* setEmail({ userId, email }: { userId: UserId; email: string }): Query<boolean> {
  const account = yield* accountById(userId);
  if (!account) return false;
  const emailKey = yield* freeEmailKey(email, userId);
  if (account.email === email) {
    yield* rows(setEmailKey, { userId, emailKey });
    return true;
  }
  // What was sent to the old address must not work any more.
  for (const kind of ['verify-email', 'reset-by-mail'] as const) yield* rows(deleteOfKind, { userId, kind });
  return (yield* changes(replaceEmail, { userId, email, emailKey })) === 1;
}

/** Store.sweepCodes */
export function* sweepCodes({ now }: { now: number }): Query<number> {
  const dead = yield* rows(expired, { now, limit: sweptAtOnce });
  for (const { hash } of dead) yield* rows(deleteCode, { hash });
  return dead.length;
}

function* resetCodeOwner({ hash, now }: { hash: Uint8Array; now: number }): Query<Account | undefined> {
  const code = yield* first(byHash, { hash });
  if (!code || !resetKinds.includes(code.kind) || now >= code.expires_at) return undefined;
  const account = yield* accountById(code.user_id);
  // It was sent to an address that the account had then.
  const isOfOldAddress = code.kind === 'reset-by-mail' && code.email !== account?.email;
  return isOfOldAddress ? undefined : account;
}
