import { parsePassword } from '../core/model/password.ts';
import { parseUsername } from '../core/model/username.ts';
import type { Connection } from './connection.ts';
import { bindingOf, challenge, type LoginOptions, loadCrypto } from './login.ts';

/** Whose secret is proven, and what is known of the server. */
export type ProofOptions = Pick<LoginOptions, 'username' | 'password' | 'pin' | 'onProgress'>;

/** What an operation takes as its `proof` on a connection that has shown a certificate of the account. */
export interface CertificateProof {
  readonly certificate: true;
  /** The second factor's code, where the account has one. */
  readonly otp?: string;
}

/** What an operation takes as its `proof`: good once, on this connection, for a minute. */
export interface ExchangeProof {
  readonly exchange: string;
  readonly message: string;
  /** The second factor's code, where the account has one. */
  readonly otp?: string;
}

/** What an operation takes as its `proof`. */
export type FreshProof = ExchangeProof | CertificateProof;

/**
 * Makes the fresh proof that a risky operation asks for on a connection that is logged in (ASVS 7.5.1); the password stays here. Throws what
 * a login does before its proof is sent: `invalid`, `untrusted`. Whether the password was right is the operation's to say.
 */
export async function proveAgain(connection: Connection, options: ProofOptions): Promise<ExchangeProof> {
  const username = parseUsername(options.username);
  const password = parsePassword(options.password);
  const { beginLogin, stretch } = await loadCrypto();
  const started = beginLogin({ username, binding: bindingOf(connection) });
  const { exchange, challenged } = await challenge(connection, started, options.pin);
  const { salt, cost, realm } = challenged;
  const secret = await stretch({ realm, username, password, salt, cost }, options.onProgress);
  return { exchange, message: challenged.finish(secret).message };
}
