import type { Digests } from './crypto/digests.ts';
import { ChatError } from './errors.ts';
import type { Account } from './model/account.ts';
import type { CodeKind } from './model/code.ts';
import { newOneTimeCode, type OneTimeCode, oneTimeCodeDigest } from './one-time-code.ts';
import { oneTimeCodeMs } from './policy.ts';
import type { Store } from './ports/store.ts';

/** A code that was just made; it is told this once. */
export interface IssuedCode {
  readonly code: OneTimeCode;
  /** Dead from then on, UTC milliseconds. */
  readonly expiresAt: number;
}

/** Makes a code for an account, in the place of an older one of its kind; undefined when the account has gone. */
export async function issueCode(
  { store, digests }: { readonly store: Pick<Store, 'putCode'>; readonly digests: Digests },
  { kind, account, now }: { readonly kind: CodeKind; readonly account: Account; readonly now: number },
): Promise<IssuedCode | undefined> {
  const code = newOneTimeCode();
  const expiresAt = now + oneTimeCodeMs;
  const isKept = await store.putCode({
    hash: oneTimeCodeDigest(code, digests),
    kind,
    userId: account.id,
    email: kind === 'reset-by-admin' ? null : account.email,
    expiresAt,
  });
  return isKept ? { code, expiresAt } : undefined;
}

/** The one text for a code that is unknown, used, dead, of another kind or of another account. */
export function deadCode(): ChatError {
  return new ChatError('not-found', 'code: it is unknown, used already or too old: ask for a new one', {
    field: 'code',
  });
}
