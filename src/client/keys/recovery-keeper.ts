import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import type { OneTimeCode } from '../../core/one-time-code.ts';
import { passes } from '../backoff.ts';

/** What a new recovery key opens. */
export interface RecoverableKeys {
  /** The account's newest record when they are stored. */
  readonly record: SignedKeyRecord;
  /** True when the account's password opens their backup too. */
  readonly opensByPassword: boolean;
}

/** What becomes of a new recovery key, which nobody can show again. */
export interface RecoveryKeeper {
  /** Takes it before the server knows of it; what it throws ends all, and what opened the backup before still does. */
  keep(key: OneTimeCode, keys: RecoverableKeys): Promise<void>;
  /** The server has refused it: it opens nothing. */
  drop(): Promise<void>;
}

/** Has a recovery key kept, and only then has the server `store` what it opens: one that is lost on its way costs nothing. */
export async function storeKept<T>(
  keeper: RecoveryKeeper | undefined,
  key: OneTimeCode,
  keys: RecoverableKeys,
  store: () => Promise<T>,
): Promise<T> {
  await keeper?.keep(key, keys);
  try {
    return await store();
  } catch (error) {
    // Where the answer alone was lost, it is stored.
    if (!passes(error)) await keeper?.drop();
    throw error;
  }
}
