import { fromBase64 } from '../core/crypto/bytes.ts';
import type { LoginPin } from '../core/crypto/scram-client.ts';
import { ChatError } from '../core/errors.ts';
import { bcryptCostRange } from '../core/policy.ts';
import { believed } from './answers.ts';
import type { Connection } from './connection.ts';
import { BadFrame, objectIn, textIn } from './frames.ts';

/** What a server says that a password is to be stretched with. */
export interface ToldSalt {
  readonly realm: string;
  readonly salt: Uint8Array;
  /** The salt as it was told, in base64. */
  readonly saltText: string;
  readonly cost: number;
}

/**
 * Reads it out of an answer, and believes nothing weaker than `pin`, which the last login gave, and no other realm (security 1.6). Throws
 * `untrusted`.
 */
export async function toldSalt(
  connection: Connection,
  answer: unknown,
  pin: LoginPin | undefined,
): Promise<ToldSalt> {
  const { suite, ...told } = believed(connection, answer, readSalt);
  const { realm, cost } = told;
  const [{ isRealm }, { chatSuite }] = await Promise.all([
    import('../core/crypto/stretch.ts'),
    import('../core/crypto/verifier.ts'),
  ]);
  if (suite !== chatSuite || !isRealm(realm)) {
    throw untrusted('it asks for a hash that this client does not know');
  }
  const { min, max } = bcryptCostRange;
  if (!Number.isInteger(cost) || cost < min || cost > max) {
    throw untrusted(`it asks for cost ${cost}, which is not within ${min} to ${max}`);
  }
  if (pin && cost < pin.cost) throw untrusted(`it asks for cost ${cost}, but asked for ${pin.cost} before`);
  if (pin && pin.realm !== realm) throw untrusted('its realm has changed');
  return told;
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
