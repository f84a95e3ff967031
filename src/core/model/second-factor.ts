/** An account's second factor (RFC 6238), or one that is being set up. Times are UTC milliseconds. */
export interface SecondFactor {
  /** Sealed for this account. */
  readonly secret: Uint8Array;
  readonly begunAt: number;
  /** Null while it is being set up: it is asked for nowhere yet. */
  readonly confirmedAt: number | null;
  /** The last step whose code was used; none up to it is good again. */
  readonly lastStep: number;
  /** Recovery codes that have not been used. */
  readonly recoveryCodesLeft: number;
}

/** What is kept of a recovery code. */
export interface HashedRecoveryCode {
  /** Its place in its set. */
  readonly number: number;
  /** 16 bytes, its own. */
  readonly salt: Uint8Array;
  /** 32 bytes: the digest of what a slow hash made of it. */
  readonly hash: Uint8Array;
}
