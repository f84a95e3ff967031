import type { Verifier } from '../model/account.ts';
import type { Username } from '../model/username.ts';
import { equalDigests, utf8 } from './bytes.ts';
import { type Digests, nobleDigests } from './digests.ts';
import { saltBytes } from './stretch.ts';

/** The one login suite: SCRAM's messages with bcrypt as the password function (security 1). */
export const chatSuite = 'CHAT-SCRAM-BCRYPT-1';

/** The keys that SCRAM derives from an AuthSecret (RFC 5802 section 3), 32 bytes each; only the last two may leave the client. */
export interface ScramKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Derives the keys of security 1.3. */
export function scramKeys(authSecret: Uint8Array, digests: Digests = nobleDigests): ScramKeys {
  const clientKey = digests.hmacSha256(authSecret, utf8('Client Key'));
  return {
    clientKey,
    storedKey: digests.sha256(clientKey),
    serverKey: digests.hmacSha256(authSecret, utf8('Server Key')),
  };
}

/** What a registration sends in place of a password (security 1.3). */
export function verifierFrom(
  authSecret: Uint8Array,
  salt: Uint8Array,
  cost: number,
  digests: Digests = nobleDigests,
): Verifier {
  const { storedKey, serverKey } = scramKeys(authSecret, digests);
  return { suite: chatSuite, salt, cost, storedKey, serverKey };
}

/**
 * The salt that a name has on this server at a cost, with an account or without: whoever asked for it before a registration or
 * a raise of the cost learns nothing by asking again (security 1.8). 16 bytes.
 */
export function saltOfName(
  serverSecret: Uint8Array,
  username: Username,
  cost: number,
  digests: Digests = nobleDigests,
): Uint8Array {
  return digests.hmacSha256(serverSecret, utf8(`chat salt|${username}|${cost}`)).slice(0, saltBytes);
}

/**
 * The verifier of a name that has no account (security 1.8): the same for a name as long as the server keeps its secret,
 * so that asking twice, or after a restart, shows nothing. No password fits it.
 */
export function fakeVerifier(
  serverSecret: Uint8Array,
  username: Username,
  cost: number,
  digests: Digests = nobleDigests,
): Verifier {
  const derived = (what: string): Uint8Array =>
    digests.hmacSha256(serverSecret, utf8(`chat fake ${what}|${username}`));
  return {
    suite: chatSuite,
    salt: saltOfName(serverSecret, username, cost, digests),
    cost,
    storedKey: derived('stored key'),
    serverKey: derived('server key'),
  };
}

/** The found verifier, or the name's fake one, which is computed in either case so that both take the same time. */
export function verifierOrFake(
  found: Verifier | undefined,
  serverSecret: Uint8Array,
  username: Username,
  cost: number,
  digests: Digests = nobleDigests,
): Verifier {
  const fake = fakeVerifier(serverSecret, username, cost, digests);
  return found ?? fake;
}

/** True when an AuthSecret belongs to a verifier; the same judgement that SCRAM passes on a proof, in constant time. */
export function fitsVerifier(
  authSecret: Uint8Array,
  verifier: Verifier,
  digests: Digests = nobleDigests,
): boolean {
  return equalDigests(scramKeys(authSecret, digests).storedKey, verifier.storedKey);
}
