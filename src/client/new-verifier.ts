import { toBase64 } from '../core/crypto/bytes.ts';
import type { Verifier } from '../core/model/account.ts';
import type { Password } from '../core/model/password.ts';
import type { Username } from '../core/model/username.ts';
import type { InputOf } from '../core/operations/index.ts';
import { bcryptCostRange } from '../core/policy.ts';
import { randomBytes } from '../core/random.ts';
import { beginRegistration } from './begin-registration.ts';
import type { Connection } from './connection.ts';
import { loadCrypto } from './load-crypto.ts';
import { untrusted } from './server-key.ts';

/** Who is told of a new password while its verifier is made. */
export interface NewPasswordListeners {
  /** Told of a password that the server takes, but should better not be used. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Told how much of the password's stretching is done, 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** What a server asks of a new verifier, its key and its suite judged. Throws `untrusted` for a server that asks for a weak one. */
export async function beginVerifier(connection: Connection) {
  const { realm, cost, suite, rules, needsInvite, terms } = await beginRegistration(connection);
  const { chatSuite, isRealm } = await loadCrypto();
  if (suite !== chatSuite || !isRealm(realm))
    throw untrusted('it asks for a verifier that this client does not know');
  if (!Number.isInteger(cost) || cost < bcryptCostRange.min || cost > bcryptCostRange.max) {
    throw untrusted(
      `it asks for cost ${cost}, which is not within ${bcryptCostRange.min} to ${bcryptCostRange.max}`,
    );
  }
  return { realm, cost, rules, needsInvite, terms };
}

/**
 * Makes what the server keeps in place of a new password, as the wire spells it, with a salt of its own unless the server has told one;
 * throws `invalid` for a password that its rules refuse.
 */
export async function makeVerifier(
  {
    realm,
    cost,
    rules,
    salt: told,
  }: Pick<Awaited<ReturnType<typeof beginVerifier>>, 'realm' | 'cost' | 'rules'> & {
    readonly salt?: Uint8Array;
  },
  given: NewPasswordListeners & {
    readonly username: Username;
    readonly password: Password;
  },
) {
  const { username, password } = given;
  // Nobody else can judge it: the server does not see it.
  const { checkNewPassword } = await import('../core/new-password.ts');
  const warning = await checkNewPassword(rules, { username, password });
  if (warning !== undefined) given.onWarning?.(warning);
  const { stretch, verifierFrom, saltBytes } = await loadCrypto();
  const salt = told ?? randomBytes(saltBytes);
  const secret = await stretch({ realm, username, password, salt, cost }, given.onProgress);
  return wireVerifier(verifierFrom(secret, salt, cost));
}

/** Spells a verifier as the operations take it. */
export function wireVerifier({
  salt,
  cost,
  storedKey,
  serverKey,
}: Verifier): InputOf<'account.raise-verifier'>['verifier'] {
  return {
    suite: 'CHAT-SCRAM-BCRYPT-1',
    salt: toBase64(salt),
    cost,
    stored_key: toBase64(storedKey),
    server_key: toBase64(serverKey),
  };
}
