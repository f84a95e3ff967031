import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, objectIn } from './frames.ts';
import { beginVerifier, makeVerifier, type NewPasswordListeners } from './new-verifier.ts';
import { toldSalt } from './told-salt.ts';

/** Whose password is set anew, to what, and by which code. The password does not leave this process. */
export interface ResetPasswordOptions extends NewPasswordListeners {
  readonly username: string;
  readonly password: string;
  /** As a person typed it. */
  readonly code: string;
}

/**
 * Sets a new password by a one-time code; all sessions of the account end, and nobody is logged in by it. Throws `invalid` for a
 * password that does not fit or that the server's rules refuse, before the code is sent; `untrusted` for a server that asks for a weak
 * verifier; `not-found` for a code that is dead or
 * another account's.
 */
export async function resetPassword(connection: Connection, options: ResetPasswordOptions): Promise<void> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const { rules } = await beginVerifier(connection);
  const { realm, salt, cost } = await toldSalt(
    connection,
    await connection.call('login.salt', { username }),
    undefined,
  );
  const verifier = await makeVerifier({ realm, salt, cost, rules }, { ...options, username, password });
  const { code } = options;
  const answer = await connection.call('account.reset-password', { code, username, verifier });
  believed(connection, answer, (value) => {
    if (objectIn(value, 'an answer').username !== username) throw new BadFrame("another account's name");
  });
}
