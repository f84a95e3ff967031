import type { CertificateId } from '../../model/certificate.ts';
import type { DeviceId, SessionId, UserId } from '../../model/ids.ts';
import type { Session } from '../../model/session.ts';

/** Sessions with their tokens, and the devices they are on. */
export interface SessionStore {
  /** Opens a session; one per device, `maxPerAccount` in all (0 for any number): what had to give way is in `ended`. */
  openSession(session: NewSession): Promise<OpenedSession>;
  sessionByToken(tokenHash: Uint8Array): Promise<Session | undefined>;
  /** The sessions of one account that are not expired at `now` by `idleMs` and their absolute end, newest use first. */
  sessions(query: { userId: UserId; now: number; idleMs: number }): Promise<ListedSession[]>;
  /** Those of `ids` that still exist, as they are now; how a node finds out about what it missed the notice of. */
  existingSessions(ids: readonly SessionId[]): Promise<Session[]>;
  touchSession(touch: { id: SessionId; lastUsedAt: number }): Promise<void>;
  /** Puts the digest of a new CSRF token in the place of the session's old one; false when there is no such session. */
  setCsrfHash(change: { id: SessionId; csrfHash: Uint8Array }): Promise<boolean>;
  /** Rotates a refresh token once; see {@link RefreshOutcome}. */
  refreshSession(refresh: RefreshRequest): Promise<RefreshOutcome>;
  /** Names the device of a session of `userId`; answers the session as it is then, or undefined when that account has no such session. */
  renameDevice(rename: { sessionId: SessionId; userId: UserId; label: string }): Promise<Session | undefined>;
  /** Ends one session of `userId`; false when that account has no such session. */
  endSession(end: { id: SessionId; userId: UserId }): Promise<boolean>;
  /** Ends the session of a device, whoever's it is; answers its id, or undefined when the device has none. */
  endSessionOnDevice(end: { deviceId: DeviceId }): Promise<SessionId | undefined>;
  /** Ends all sessions of an account but `except`; answers the ids that ended. */
  endSessions(end: { userId: UserId; except?: SessionId }): Promise<SessionId[]>;
  /** Deletes sessions whose family of refresh tokens has ended at `now`, at most 1,000 a call; answers how many. */
  sweepSessions(sweep: { now: number }): Promise<number>;
  /** Forgets devices that have no session and were made at `madeUntil` or before, at most 1,000 a call; answers how many. */
  sweepDevices(sweep: { madeUntil: number }): Promise<number>;
}

/** A session in the list of its owner. */
export interface ListedSession extends Session {
  /** The certificate that it was opened with; left out for any other way. */
  readonly certificate?: CertificateId | undefined;
}

/** A session to be opened with its first refresh token; only digests (SHA-256) of tokens reach the store. */
export interface NewSession {
  readonly session: Session;
  /** True when `session.deviceId` was made for this login; false when the client named it. */
  readonly isNewDevice: boolean;
  /** The StoredKey that the login was proven against: what has changed since lets nobody in. Left out where no verifier was used. */
  readonly provenKey?: Uint8Array | undefined;
  /** The certificate that the login was proven with: one that was revoked since lets nobody in. */
  readonly certificate?: CertificateId | undefined;
  readonly tokenHash: Uint8Array;
  readonly refreshHash: Uint8Array;
  readonly maxPerAccount: number;
}

/**
 * What `openSession` did. `foreign-device` when the device belongs to another account, `disabled` when nobody may log in to this one,
 * `stale` when the verifier of `provenKey` is not the account's any more or its erasure is not what `erasesAt` says, `revoked` when
 * `certificate` does not log in to it (any more), `factor-changed` when the account's second factor was turned on or off since the
 * session's `hasSecondFactor` was read: nothing was opened.
 */
export type OpenedSession =
  | {
      readonly kind: 'opened';
      readonly ended: readonly SessionId[];
      /** The device's name, which it may have had before. */
      readonly label: string;
    }
  | { readonly kind: 'foreign-device' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'factor-changed' }
  | { readonly kind: 'no-account' };

/** One rotation: the digests of the presented token and of its (deterministic) successors. */
export interface RefreshRequest {
  readonly refreshHash: Uint8Array;
  readonly nextTokenHash: Uint8Array;
  readonly nextRefreshHash: Uint8Array;
  readonly now: number;
  /** How long a used token still answers with its successor. */
  readonly graceMs: number;
  readonly absoluteMs: number;
}

/**
 * `rotated`: done now, or within the grace before and the successor is unused (same answer). `reused`: presented after
 * the grace, or in the grace when its successor was already rotated; the session and its family are gone. `unknown`: never seen, or expired.
 */
export type RefreshOutcome =
  | { readonly kind: 'rotated'; readonly session: Session }
  | { readonly kind: 'reused'; readonly session: Session }
  | { readonly kind: 'unknown' };
