import { answerChallenge, type ProofOptions } from './challenge.ts';
import type { Connection } from './connection.ts';

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
  const { exchange, finished } = await answerChallenge(connection, options);
  return { exchange, message: finished.message };
}
