import type { LoginPin } from '../core/crypto/scram-client.ts';
import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, objectIn } from './frames.ts';
import type { BackupForChange } from './keys/change-keys.ts';
import { makeVerifier, type NewPasswordListeners } from './new-verifier.ts';
import { readPasswordPolicy } from './password-policy.ts';
import type { FreshProof } from './prove-again.ts';
import { toldSalt } from './told-salt.ts';

/** Whose password is changed, and to what. Neither password leaves this process. */
export interface ChangePasswordOptions extends NewPasswordListeners {
  readonly username: string;
  readonly newPassword: string;
  /** Whether doors may be shown the new one (security 1.10). */
  readonly privacy: 'private' | 'open';
  /** Proves the old one; asked for when all else is ready, since a proof does not live long. */
  readonly prove: () => Promise<FreshProof>;
  /** Seals the backup of the account's keys anew, for the new password, where this device has them; asked for before the proof. */
  readonly sealKeys?: (() => Promise<BackupForChange | undefined>) | undefined;
  /** What the last login gave: nothing weaker, and no other realm, is accepted (security 1.6). */
  readonly pin?: LoginPin | undefined;
}

/** What came of it. */
export interface ChangedPassword {
  readonly privacy: 'private' | 'open';
  /** How many other sessions have ended. */
  readonly ended_sessions: number;
  /** The cost of the new verifier, which the next login may ask for. */
  readonly cost: number;
}

/**
 * Changes the password of the account that is logged in on `connection` (ASVS 6.2.3). Throws `invalid` for a new one that does not fit or
 * that the server's rules refuse, before anything is sent; `untrusted` for a server that asks for a weak verifier;
 * `unauthenticated` when the old one was wrong, `conflict` when it was changed meanwhile.
 */
export async function changePassword(
  connection: Connection,
  options: ChangePasswordOptions,
): Promise<ChangedPassword> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.newPassword);
  const { privacy, pin } = options;
  const begun = await connection.call('account.begin-change-password', {});
  const rules = believed(connection, begun, (value) => readPasswordPolicy(objectIn(value, 'an answer')));
  const { realm, salt, cost } = await toldSalt(connection, begun, pin);
  const verifier = await makeVerifier({ realm, salt, cost, rules }, { ...options, username, password });
  const keys = await options.sealKeys?.();
  const proof = await options.prove();
  const answer = await connection.call('account.change-password', {
    proof,
    verifier,
    privacy,
    ...(keys && { keys }),
  });
  return believed(connection, answer, (value) => {
    const { privacy: now, ended_sessions: ended } = objectIn(value, 'an answer');
    if (now !== privacy) throw new BadFrame('another privacy than was asked for');
    if (typeof ended !== 'number') throw new BadFrame('a wrong number of sessions');
    return { privacy, ended_sessions: ended, cost };
  });
}
