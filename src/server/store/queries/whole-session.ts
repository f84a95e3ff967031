import type { Kysely } from 'kysely';
import type { DeviceId, SessionId, UserId } from '../../../core/model/ids.ts';
import type { DoorName, Session } from '../../../core/model/session.ts';
import type { Username } from '../../../core/model/username.ts';
import type { Schema } from '../schema.ts';
import { statement } from '../statement.ts';

const sessionColumns = [
  'sessions.id',
  'sessions.user_id',
  'username',
  'device_id',
  'label',
  'door',
  'address',
  'sessions.created_at',
  'last_used_at',
  'absolute_expires_at',
  'family_expires_at',
  'csrf_hash',
  'erases_at',
  'totp.confirmed_at',
] as const;

/** Sessions with their account, device and second factor: what {@link sessionOf} takes. */
export const wholeSessions = (db: Kysely<Schema>) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('devices', 'devices.id', 'sessions.device_id')
    .leftJoin('totp', 'totp.user_id', 'users.id')
    .select(sessionColumns);

/** One session by its id. */
export const sessionById = statement((db, p: { id: string }) =>
  wholeSessions(db).where('sessions.id', '=', p.id),
);

/** A row of {@link wholeSessions} as core knows it. */
export function sessionOf(row: {
  id: string;
  user_id: string;
  username: string;
  device_id: string;
  label: string;
  door: string;
  address: string;
  created_at: number;
  last_used_at: number;
  absolute_expires_at: number;
  family_expires_at: number;
  csrf_hash: Uint8Array | null;
  erases_at: number | null;
  confirmed_at: number | null;
}): Session {
  return {
    id: row.id as SessionId,
    userId: row.user_id as UserId,
    username: row.username as Username,
    hasSecondFactor: row.confirmed_at !== null,
    deviceId: row.device_id as DeviceId,
    deviceLabel: row.label,
    door: row.door as DoorName,
    address: row.address,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    absoluteExpiresAt: row.absolute_expires_at,
    familyExpiresAt: row.family_expires_at,
    csrfHash: row.csrf_hash,
    ...(row.erases_at === null ? {} : { erasesAt: row.erases_at }),
  };
}
