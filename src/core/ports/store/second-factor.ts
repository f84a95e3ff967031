import type { SessionId, UserId } from '../../model/ids.ts';
import type { HashedRecoveryCode, SecondFactor } from '../../model/second-factor.ts';

/** Second factors and their recovery codes. */
export interface SecondFactorStore {
  /** An account's second factor, or the one that is being set up. */
  secondFactor(userId: UserId): Promise<SecondFactor | undefined>;
  /**
   * Keeps the sealed secret of a factor that is being set up, in the place of one that was before; false when one is on, or there is
   * no such account.
   */
  beginSecondFactor(begin: { userId: UserId; secret: Uint8Array; now: number }): Promise<boolean>;
  /**
   * Turns on the factor that was begun with `secret`, `step` being used by that, with a first set of recovery codes, and ends the
   * account's sessions but `except`; answers the ids that ended. Undefined, and nothing done, when no such one is being set up.
   */
  confirmSecondFactor(on: {
    userId: UserId;
    secret: Uint8Array;
    step: number;
    now: number;
    codes: readonly HashedRecoveryCode[];
    except: SessionId;
  }): Promise<SessionId[] | undefined>;
  /** Uses a step of the factor that has `secret`: true for the first of however many at once, and for none after a later step. */
  useTotpStep(use: { userId: UserId; secret: Uint8Array; step: number }): Promise<boolean>;
  /** An account's recovery code of this number, unless it has been used. */
  recoveryCode(query: { userId: UserId; number: number }): Promise<HashedRecoveryCode | undefined>;
  /** Uses a recovery code: true for the first of however many at once. */
  useRecoveryCode(use: { userId: UserId; number: number; hash: Uint8Array }): Promise<boolean>;
  /** Puts a new set in the place of all recovery codes; false, and nothing done, when no factor is on. */
  replaceRecoveryCodes(change: { userId: UserId; codes: readonly HashedRecoveryCode[] }): Promise<boolean>;
  /**
   * Turns the factor off, with its recovery codes, and ends the account's sessions but `except`; undefined when none is on. `takenAt`
   * says that somebody else did, which the account has as its `factorTakenAt` until a factor is on again.
   */
  removeSecondFactor(off: {
    userId: UserId;
    except?: SessionId;
    takenAt?: number;
  }): Promise<SessionId[] | undefined>;
}
