import type { UserId } from '../../../core/model/ids.ts';
import type { DoorName } from '../../../core/model/session.ts';
import type { Consent } from '../../../core/ports/store/own-data.ts';
import { type Query, rows, statement } from '../statement.ts';
import { isLive } from './conversations.ts';

const insertConsent = statement((db, p: { userId: string; digest: string; at: number; door: string }) =>
  db
    .insertInto('consents')
    .values({ user_id: p.userId, digest: p.digest, accepted_at: p.at, door: p.door })
    .onConflict((conflict) => conflict.columns(['user_id', 'digest']).doNothing()),
);
const ofUser = statement((db, p: { userId: string }) =>
  db
    .selectFrom('consents')
    .select(['digest', 'accepted_at', 'door'])
    .where('user_id', '=', p.userId)
    .orderBy('accepted_at')
    .orderBy('digest'),
);

/** Store.addConsent */
export function* addConsent(consent: Consent & { userId: UserId }): Query<void> {
  if (yield* isLive(consent.userId)) yield* rows(insertConsent, consent);
}

/** Store.consents */
export function* consents({ userId }: { userId: UserId }): Query<Consent[]> {
  return (yield* rows(ofUser, { userId })).map((row) => ({
    digest: row.digest,
    at: row.accepted_at,
    door: row.door as DoorName,
  }));
}
