import type { LoginPin } from '../core/crypto/scram-client.ts';
import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import type { Connection } from './connection.ts';
import { toldSalt } from './told-salt.ts';

/** Whose password is hashed. */
export interface HashPasswordOptions {
  readonly username: string;
  readonly password: string;
  /** What the last login of this name gave: nothing weaker, and no other realm, is accepted (security 1.6). */
  readonly pin?: LoginPin | undefined;
  /** Told how much of the password's stretching is done, 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** A hashed password: `v1.` and the AuthSecret, with what it was made with. */
export interface HashedPassword {
  readonly username: string;
  readonly hashed_password: string;
  readonly realm: string;
  /** Base64. */
  readonly salt: string;
  readonly cost: number;
}

/**
 * Makes what a client shows in place of its password where it cannot answer a challenge (five-systems, section 1); the
 * password itself stays here. The same before and after the registration of a name. Throws `untrusted` for a server that
 * asks for a weak hash, or for another than it asked for before.
 */
export async function hashPassword(
  connection: Connection,
  options: HashPasswordOptions,
): Promise<HashedPassword> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const answer = await connection.call('login.salt', { username });
  const { realm, salt, saltText, cost } = await toldSalt(connection, answer, options.pin);
  const [{ stretch }, { formatHashedPassword }] = await Promise.all([
    import('../core/crypto/stretch.ts'),
    import('../core/crypto/hashed-password.ts'),
  ]);
  const secret = await stretch({ realm, username, password, salt, cost }, options.onProgress);
  return { username, hashed_password: formatHashedPassword(secret), realm, salt: saltText, cost };
}
