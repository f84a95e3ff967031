import { fromBase64 } from '../core/crypto/bytes.ts';
import type { LoginPin } from '../core/crypto/scram-client.ts';
import { ChatError } from '../core/errors.ts';
import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import { bcryptCostRange } from '../core/policy.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, objectIn, textIn } from './frames.ts';

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
  const { realm, suite, salt, saltText, cost } = believed(connection, answer, readSalt);
  const [{ stretch, isRealm }, { chatSuite }, { formatHashedPassword }] = await Promise.all([
    import('../core/crypto/stretch.ts'),
    import('../core/crypto/verifier.ts'),
    import('../core/crypto/hashed-password.ts'),
  ]);
  if (suite !== chatSuite || !isRealm(realm)) {
    throw untrusted('it asks for a hash that this client does not know');
  }
  const { min, max } = bcryptCostRange;
  if (!Number.isInteger(cost) || cost < min || cost > max) {
    throw untrusted(`it asks for cost ${cost}, which is not within ${min} to ${max}`);
  }
  const { pin } = options;
  if (pin && cost < pin.cost) throw untrusted(`it asks for cost ${cost}, but asked for ${pin.cost} before`);
  if (pin && pin.realm !== realm) throw untrusted('its realm has changed');
  const secret = await stretch({ realm, username, password, salt, cost }, options.onProgress);
  return { username, hashed_password: formatHashedPassword(secret), realm, salt: saltText, cost };
}

function readSalt(value: unknown) {
  const fields = objectIn(value, 'an answer');
  const saltText = textIn(fields, 'salt', /^[A-Za-z0-9+/=]{24}$/);
  const salt = fromBase64(saltText);
  if (salt?.length !== 16) throw new BadFrame('a wrong salt');
  if (typeof fields.cost !== 'number') throw new BadFrame('a wrong cost');
  return {
    realm: textIn(fields, 'realm'),
    suite: textIn(fields, 'suite'),
    salt,
    saltText,
    cost: fields.cost,
  };
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', `the server cannot be trusted with a password: ${why}`);
}
