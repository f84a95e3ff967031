import { parsePassword } from '../core/model/password.ts';
import { parseUsername, type Username } from '../core/model/username.ts';
import { believed } from './answers.ts';
import { type RegistrationWishes, settleWishes } from './begin-registration.ts';
import type { Connection } from './connection.ts';
import { BadFrame, instantIn, objectIn, textIn } from './frames.ts';
import { beginVerifier, makeVerifier, type NewPasswordListeners } from './new-verifier.ts';

/** Who registers. The password never leaves this process: what is sent cannot log in (security 1). */
export interface RegisterOptions extends RegistrationWishes, NewPasswordListeners {
  readonly username: string;
  readonly password: string;
}

/** A new account; it is not logged in yet. */
export interface RegisteredAccount {
  readonly user_id: string;
  readonly username: string;
  readonly created_at: string;
}

/**
 * Creates an account whose password the server never sees (security 1.3). Throws `invalid` for a name or password that does not fit or
 * that the server's rules refuse, `untrusted` for a server that asks for a weak verifier, `conflict` when the name is taken.
 */
export async function register(connection: Connection, options: RegisterOptions): Promise<RegisteredAccount> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const asked = await beginVerifier(connection);
  const wishes = await settleWishes(asked, options);
  const verifier = await makeVerifier(asked, { ...options, username, password });
  const answer = await connection.call('account.register', { username, verifier, ...wishes });
  return believed(connection, answer, (value) => readRegistered(value, username));
}

/** Reads a new account's answer. */
export function readRegistered(value: unknown, username: Username): RegisteredAccount {
  const fields = objectIn(value, 'an account');
  if (fields.username !== username) throw new BadFrame("another account's name");
  return { user_id: textIn(fields, 'user_id'), username, created_at: instantIn(fields, 'created_at') };
}
