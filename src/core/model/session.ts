import type { DeviceId, SessionId, UserId } from './ids.ts';
import type { Username } from './username.ts';

/** The door through which a session was opened. */
export type DoorName = 'line' | 'pipe' | 'slash' | 'http' | 'cookie' | 'websocket';

/** A session as the store keeps it; times are UTC milliseconds. */
export interface Session {
  readonly id: SessionId;
  readonly userId: UserId;
  readonly username: Username;
  /** True when its account has a second factor. */
  readonly hasSecondFactor: boolean;
  readonly deviceId: DeviceId;
  readonly deviceLabel: string;
  readonly door: DoorName;
  readonly address: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  /** When this token dies however busy it is. */
  readonly absoluteExpiresAt: number;
  /** When the family of refresh tokens ends. */
  readonly familyExpiresAt: number;
  /** SHA-256 of the CSRF token that cookie requests must show; null before one was made. */
  readonly csrfHash: Uint8Array | null;
  /** When its account is to be erased, UTC milliseconds: until then it is good for little else than to change that. */
  readonly erasesAt?: number | undefined;
}
