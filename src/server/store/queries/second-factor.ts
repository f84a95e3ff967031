import type { SessionId, UserId } from '../../../core/model/ids.ts';
import type { HashedRecoveryCode, SecondFactor } from '../../../core/model/second-factor.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { isLive } from './conversations.ts';
import { endSessions } from './end-sessions.ts';

const ofUser = statement((db, p: { userId: string }) =>
  db
    .selectFrom('totp')
    .select((e) => [
      'secret',
      'begun_at',
      'confirmed_at',
      'last_step',
      e
        .selectFrom('recovery_codes')
        .select((of) => of.fn.countAll<number>().as('count'))
        .whereRef('recovery_codes.user_id', '=', 'totp.user_id')
        .as('codes'),
    ])
    .where('totp.user_id', '=', p.userId),
);
const insert = statement((db, p: { userId: string; secret: Uint8Array; now: number }) =>
  db
    .insertInto('totp')
    .values({ user_id: p.userId, secret: p.secret, begun_at: p.now, confirmed_at: null, last_step: 0 }),
);
const removeUnconfirmed = statement((db, p: { userId: string }) =>
  db.deleteFrom('totp').where('user_id', '=', p.userId).where('confirmed_at', 'is', null),
);
const confirm = statement((db, p: { userId: string; secret: Uint8Array; step: number; now: number }) =>
  db
    .updateTable('totp')
    .set({ confirmed_at: p.now, last_step: p.step })
    .where('user_id', '=', p.userId)
    .where('confirmed_at', 'is', null)
    .where('secret', '=', p.secret),
);
const useStep = statement((db, p: { userId: string; secret: Uint8Array; step: number }) =>
  db
    .updateTable('totp')
    .set({ last_step: p.step })
    .where('user_id', '=', p.userId)
    .where('confirmed_at', 'is not', null)
    .where('secret', '=', p.secret)
    .where('last_step', '<', p.step),
);
const removeConfirmed = statement((db, p: { userId: string }) =>
  db.deleteFrom('totp').where('user_id', '=', p.userId).where('confirmed_at', 'is not', null),
);
const insertCode = statement((db, p: HashedRecoveryCode & { userId: string }) =>
  db.insertInto('recovery_codes').values({ user_id: p.userId, number: p.number, salt: p.salt, hash: p.hash }),
);
const codeOf = statement((db, p: { userId: string; number: number }) =>
  db
    .selectFrom('recovery_codes')
    .select(['number', 'salt', 'hash'])
    .where('user_id', '=', p.userId)
    .where('number', '=', p.number),
);
const useCode = statement((db, p: { userId: string; number: number; hash: Uint8Array }) =>
  db
    .deleteFrom('recovery_codes')
    .where('user_id', '=', p.userId)
    .where('number', '=', p.number)
    .where('hash', '=', p.hash),
);
const removeCodes = statement((db, p: { userId: string }) =>
  db.deleteFrom('recovery_codes').where('user_id', '=', p.userId),
);
const setTaken = statement((db, p: { userId: string; at: number | null }) =>
  db.updateTable('users').set({ factor_taken_at: p.at }).where('id', '=', p.userId),
);

/** Store.secondFactor */
export function* secondFactor(userId: UserId): Query<SecondFactor | undefined> {
  const row = yield* first(ofUser, { userId });
  return (
    row && {
      secret: row.secret,
      begunAt: row.begun_at,
      confirmedAt: row.confirmed_at,
      lastStep: row.last_step,
      recoveryCodesLeft: row.codes ?? 0,
    }
  );
}

/** Store.beginSecondFactor */
export function* beginSecondFactor(begin: {
  userId: UserId;
  secret: Uint8Array;
  now: number;
}): Query<boolean> {
  if (!(yield* isLive(begin.userId))) return false;
  yield* rows(removeUnconfirmed, { userId: begin.userId });
  if (yield* first(ofUser, { userId: begin.userId })) return false;
  yield* rows(insert, begin);
  return true;
}

/** Store.confirmSecondFactor */
export function* confirmSecondFactor(on: {
  userId: UserId;
  secret: Uint8Array;
  step: number;
  now: number;
  codes: readonly HashedRecoveryCode[];
  except: SessionId;
}): Query<SessionId[] | undefined> {
  const { userId, secret, step, now } = on;
  if ((yield* changes(confirm, { userId, secret, step, now })) === 0) return undefined;
  yield* keepCodes(userId, on.codes);
  yield* rows(setTaken, { userId, at: null });
  return yield* endSessions({ userId, except: on.except });
}

/** Store.useTotpStep */
export function* useTotpStep(use: { userId: UserId; secret: Uint8Array; step: number }): Query<boolean> {
  return (yield* changes(useStep, use)) === 1;
}

/** Store.recoveryCode */
export function* recoveryCode(query: {
  userId: UserId;
  number: number;
}): Query<HashedRecoveryCode | undefined> {
  return yield* first(codeOf, query);
}

/** Store.useRecoveryCode */
export function* useRecoveryCode(use: { userId: UserId; number: number; hash: Uint8Array }): Query<boolean> {
  return (yield* changes(useCode, use)) === 1;
}

/** Store.replaceRecoveryCodes */
export function* replaceRecoveryCodes(change: {
  userId: UserId;
  codes: readonly HashedRecoveryCode[];
}): Query<boolean> {
  const factor = yield* first(ofUser, { userId: change.userId });
  if (!factor || factor.confirmed_at === null) return false;
  yield* keepCodes(change.userId, change.codes);
  return true;
}

/** Store.removeSecondFactor */
export function* removeSecondFactor(off: {
  userId: UserId;
  except?: SessionId;
  takenAt?: number;
}): Query<SessionId[] | undefined> {
  if ((yield* changes(removeConfirmed, { userId: off.userId })) === 0) return undefined;
  yield* rows(removeCodes, { userId: off.userId });
  yield* rows(setTaken, { userId: off.userId, at: off.takenAt ?? null });
  return yield* endSessions(off);
}

function* keepCodes(userId: UserId, codes: readonly HashedRecoveryCode[]): Query<void> {
  yield* rows(removeCodes, { userId });
  for (const code of codes) yield* rows(insertCode, { ...code, userId });
}
