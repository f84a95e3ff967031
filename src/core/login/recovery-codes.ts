import { equalDigests } from '../crypto/bytes.ts';
import { newRecoveryCodes, type RecoveryCode } from '../crypto/recovery-code.ts';
import { saltBytes } from '../crypto/stretch.ts';
import type { Password } from '../model/password.ts';
import type { HashedRecoveryCode } from '../model/second-factor.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import { recoveryCodeCost } from '../policy.ts';
import { randomBytes } from '../random.ts';
import { stretchFor } from './stretch-for.ts';

/** A new set: the codes, which are shown this once, and what is kept of them. */
export async function makeRecoveryCodes(
  context: CallContext,
  username: Username,
): Promise<{ readonly codes: readonly RecoveryCode[]; readonly hashed: readonly HashedRecoveryCode[] }> {
  const codes = newRecoveryCodes();
  const hashed = await Promise.all(
    codes.map(async (code, number): Promise<HashedRecoveryCode> => {
      const salt = randomBytes(saltBytes);
      return { number, salt, hash: await hashCode(context, username, code, salt) };
    }),
  );
  return { codes, hashed };
}

/** True when a code is the one that was kept; one slow hash, in constant time. */
export async function fitsRecoveryCode(
  context: CallContext,
  username: Username,
  code: RecoveryCode,
  kept: HashedRecoveryCode,
): Promise<boolean> {
  return equalDigests(await hashCode(context, username, code, kept.salt), kept.hash);
}

/** The passwords' own slow hash, and its digest: what the hash makes is as good as the code, and is not kept. */
async function hashCode(
  context: CallContext,
  username: Username,
  code: RecoveryCode,
  salt: Uint8Array,
): Promise<Uint8Array> {
  const password = `recovery code ${code}` as Password;
  const stretched = await stretchFor(context, { username, password, salt, cost: recoveryCodeCost });
  return context.services.digests.sha256(stretched);
}
