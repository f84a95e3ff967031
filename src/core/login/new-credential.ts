import { fakeVerifier, verifierFrom } from '../crypto/verifier.ts';
import { ChatError } from '../errors.ts';
import type { Account, Verifier } from '../model/account.ts';
import type { NewCertificate } from '../model/certificate.ts';
import type { Password } from '../model/password.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import { authorityOf, type SignedCertificate, shownForKeeps, signCertificate } from './issue-certificate.ts';
import { checkMadeWith } from './made-with.ts';
import { nextSaltAndCost, type SaltAndCost } from './next-salt.ts';
import { stretchFor } from './stretch-for.ts';

/** A secret that an account is to have: one of three; or a certificate, and none. */
export interface NewSecret {
  readonly verifier?: Verifier | undefined;
  /** The AuthSecret, which a client has made for the salt and the cost that `login.salt` tells. */
  readonly hashed_password?: Uint8Array | undefined;
  readonly password?: Password | undefined;
  /** PKCS#10 in PEM: this server is to sign a certificate. */
  readonly certificate_request?: string | undefined;
  /** The one that the connection has shown, from elsewhere, is to log in. */
  readonly certificate?: true | undefined;
  readonly certificate_label?: string | undefined;
}

/** What the store keeps of a new secret, and whether the server has seen the password. */
export interface NewCredential {
  readonly privacy: Account['privacy'];
  readonly verifier: Verifier;
  /** With which the account logs in instead. */
  readonly certificate?: NewCertificate | undefined;
  /** What its owner gets to hear of it, where this server has signed it. */
  readonly signed?: SignedCertificate | undefined;
}

/**
 * Makes a credential of a new secret. From a verifier or a hashed password, which are made on the client, the account is private;
 * from a password it is open (security 1.10). `told` is what `login.salt` has told for a name that has an account: what a client makes
 * is made with it. A new name's verifier has a salt of its own; throws `invalid` for one of another cost than the server's. An account
 * with a certificate alone has the verifier of a name that nobody has, which no password fits.
 */
export async function newCredential(
  context: CallContext,
  name: Username,
  given: NewSecret,
  told?: SaltAndCost,
): Promise<NewCredential> {
  const { services } = context;
  const cost = services.policy.bcryptCost;
  if (given.certificate_request !== undefined || given.certificate) {
    return await withoutPassword(context, name, given);
  }
  if (given.verifier && told) {
    checkMadeWith(given.verifier, told, 'login.salt');
    return { privacy: 'private', verifier: given.verifier };
  }
  if (given.verifier) {
    if (given.verifier.cost !== cost) {
      throw new ChatError('invalid', `verifier.cost: this server's cost is ${cost}`, {
        field: 'verifier.cost',
      });
    }
    return { privacy: 'private', verifier: given.verifier };
  }
  // What `login.salt` has told for this name, and tells from now on.
  const next = nextSaltAndCost(services, name, told);
  if (given.hashed_password) {
    return { privacy: 'private', verifier: await verifierOf(context, name, given, told ?? next) };
  }
  return { privacy: 'open', verifier: await verifierOf(context, name, given, next) };
}

async function withoutPassword(
  context: CallContext,
  username: Username,
  { certificate_request: pem, certificate_label: label = '' }: NewSecret,
): Promise<NewCredential> {
  const { settings, policy, digests } = context.services;
  const verifier = fakeVerifier(settings.serverSecret, username, policy.bcryptCost, digests);
  const privacy = 'certificate';
  if (pem === undefined) return { privacy, verifier, certificate: shownForKeeps(context, label) };
  const request = await authorityOf(context).readRequest(pem);
  const signed = await signCertificate(context, { request, username, label });
  return { privacy, verifier, certificate: signed.entry, signed };
}

/** The verifier of a secret that is not one yet: of a password the server makes it here. */
export async function verifierOf(
  context: CallContext,
  name: Username,
  { hashed_password: hashed, password }: NewSecret,
  { salt, cost }: SaltAndCost,
): Promise<Verifier> {
  const { digests } = context.services;
  if (hashed) return verifierFrom(hashed, salt, cost, digests);
  if (password === undefined) throw new Error('a credential is made of a secret');
  return verifierFrom(
    await stretchFor(context, { username: name, password, salt, cost }),
    salt,
    cost,
    digests,
  );
}
