import { badCredentials, ChatError } from '../errors.ts';
import type { Username } from '../model/username.ts';
import { concat, equalDigests, toBase64, utf8, xor } from './bytes.ts';
import { type Digests, nobleDigests } from './digests.ts';
import {
  authMessage,
  bindingBytes,
  chatProfile,
  newNonce,
  type Offer,
  offerDigest,
  parseServerFinal,
  parseServerFirst,
  type ScramProfile,
  type ServerFirst,
  tlsExporter,
} from './scram-messages.ts';
import { chatSuite, scramKeys } from './verifier.ts';

/** What this client can bind a login to: 32 bytes exported from its TLS 1.3 connection (RFC 9266), or nothing. */
export type ChannelBinding =
  | { readonly kind: 'tls-exporter'; readonly bytes: Uint8Array }
  | { readonly kind: 'none' };

/** What a profile remembers of the last good login and never accepts less of (security 1.6). */
export interface LoginPin {
  readonly suite: string;
  /** Whether the login was bound to its TLS connection. */
  readonly bound: boolean;
  readonly cost: number;
  readonly realm: string;
  /** Base64 SHA-256 of the server's public key, DER SPKI. */
  readonly serverKey: string;
}

/** How a login begins. */
export interface LoginOptions {
  readonly username: Username;
  readonly binding: ChannelBinding;
  /** The bindings that the server is known to offer; left out when nothing is known before the first message. */
  readonly offeredBindings?: readonly string[];
  /** The client's challenge; left out it is 18 random bytes in base64. */
  readonly clientNonce?: string;
}

/** What the client holds the server's challenge against. */
export interface ChallengeExpectations {
  /** The server's public key, DER SPKI: over TLS that of the certificate it showed, otherwise the one it sent. */
  readonly serverPublicKey: Uint8Array;
  /** What the server was seen to offer. */
  readonly offer: Offer;
  /** From the last good login to this server, if there was one. */
  readonly pin?: LoginPin | undefined;
}

/** A login whose first message is ready to be sent. */
export interface StartedLogin {
  readonly message: string;
  /**
   * Judges the server's challenge before anything is done with the password (security 1.4 to 1.7).
   * Throws `untrusted` for a challenge that is malformed, not an answer to ours, weaker than the floor or the pin, or from another server.
   */
  readChallenge(serverFirst: string, expectations: ChallengeExpectations): ChallengedLogin;
}

/** A login with a challenge that was found good: the caller stretches the password with these. */
export interface ChallengedLogin {
  readonly salt: Uint8Array;
  readonly cost: number;
  readonly realm: string;
  readonly suite: string;
  /** Signs the challenge with the 32 bytes that `stretch` answered. */
  finish(authSecret: Uint8Array): FinishedLogin;
}

/** A login whose proof is ready to be sent. */
export interface FinishedLogin {
  readonly message: string;
  /**
   * Checks that the server knows the account too, and answers what to pin. Until it returns, nothing the server gave may be used.
   * Throws `unauthenticated`, for a wrong or missing signature as for the server's own refusal; `untrusted` when the server saw
   * another connection than ours.
   */
  verifyServer(serverFinal: string | undefined): LoginPin;
}

/**
 * Begins a login (RFC 5802 section 5, client side). The three steps hang on each other's results, so that none can be left out.
 * Throws RangeError for a binding that is not 32 bytes: an empty one must never pass for a bound login.
 */
export function beginLogin(
  options: LoginOptions,
  profile: ScramProfile = chatProfile,
  digests: Digests = nobleDigests,
): StartedLogin {
  const { binding, clientNonce = newNonce() } = options;
  if (binding.kind === 'tls-exporter' && binding.bytes.length !== bindingBytes) {
    throw new RangeError(`a tls-exporter binding has ${bindingBytes} bytes`);
  }
  const flag = bindingFlag(binding, options.offeredBindings);
  const exchange: ClientExchange = {
    clientNonce,
    bare: `n=${options.username},r=${clientNonce}`,
    flag,
    channelBinding: binding.kind === 'tls-exporter' && flag === boundFlag ? binding.bytes : new Uint8Array(),
    profile,
    digests,
  };
  return {
    message: `${flag},,${exchange.bare}`,
    readChallenge: (serverFirst, expectations) => readChallenge(exchange, serverFirst, expectations),
  };
}

interface ClientExchange {
  readonly clientNonce: string;
  readonly bare: string;
  readonly flag: string;
  /** Empty unless bound. */
  readonly channelBinding: Uint8Array;
  readonly profile: ScramProfile;
  readonly digests: Digests;
}

const boundFlag = `p=${tlsExporter}`;

/** RFC 5802 section 6: `y` tells a server that does offer a binding that somebody has stripped its offer. */
function bindingFlag(binding: ChannelBinding, offered: readonly string[] | undefined): string {
  if (binding.kind === 'none') return 'n';
  return offered === undefined || offered.includes(tlsExporter) ? boundFlag : 'y';
}

function readChallenge(
  exchange: ClientExchange,
  text: string,
  expectations: ChallengeExpectations,
): ChallengedLogin {
  const parsed = parseServerFirst(text, exchange.profile);
  if (!parsed.ok) throw untrusted('its challenge is malformed');
  const first = parsed.value;
  checkNonce(first, exchange);
  checkCost(first, exchange.profile, expectations.pin);
  if (exchange.profile.extended) {
    checkServer(first, expectations, exchange.digests);
    checkOffer(first, exchange, expectations);
  }
  const { salt, cost, realm, suite } = first;
  return { salt, cost, realm, suite, finish: (authSecret) => finish(exchange, first, text, authSecret) };
}

/** The challenge must be an answer to ours, and the server's own part must be long enough to be fresh (security 1.5). */
function checkNonce({ nonce }: ServerFirst, { clientNonce, profile }: ClientExchange): void {
  if (!nonce.startsWith(clientNonce) || nonce.length - clientNonce.length < profile.minNonceCharacters) {
    throw untrusted('its challenge does not answer ours');
  }
}

/** A low cost would make our proof easy to guess from, a high one would keep us busy (security 1.7). */
function checkCost({ cost }: ServerFirst, { cost: range }: ScramProfile, pin: LoginPin | undefined): void {
  if (cost < range.min || cost > range.max) {
    throw untrusted(`it asks for cost ${cost}, which is not within ${range.min} to ${range.max}`);
  }
  if (pin !== undefined && cost < pin.cost) {
    throw untrusted(`it asks for cost ${cost}, but asked for ${pin.cost} before`);
  }
}

/** It must be the server that we are connected to, and the one that we know (security 1.4, 1.6). */
function checkServer(
  { suite, realm, serverKey }: ServerFirst,
  { serverPublicKey, pin }: ChallengeExpectations,
  digests: Digests,
): void {
  if (suite !== chatSuite || (pin !== undefined && pin.suite !== suite)) {
    throw untrusted('it asks for a login suite that this client does not accept from it');
  }
  if (pin !== undefined && pin.realm !== realm) throw untrusted('its realm has changed');
  if (serverKey !== toBase64(digests.sha256(serverPublicKey))) {
    throw untrusted('its challenge was made for another server key');
  }
  if (pin !== undefined && pin.serverKey !== serverKey) throw untrusted('its key has changed');
}

/** Nobody may have taken the stronger choices out of the server's offer on its way (security 1.4, 1.6). */
function checkOffer(first: ServerFirst, exchange: ClientExchange, expectations: ChallengeExpectations): void {
  const { offer, pin } = expectations;
  const stripped = exchange.flag === 'y' && offer.bindings.includes(tlsExporter);
  if (stripped || first.offer !== offerDigest(offer, exchange.digests)) {
    throw untrusted('what it offers was changed on the way');
  }
  if (pin?.bound === true && exchange.flag !== boundFlag) {
    throw untrusted('logins were bound to the TLS connection before, and this one is not');
  }
}

function finish(
  exchange: ClientExchange,
  first: ServerFirst,
  serverFirst: string,
  authSecret: Uint8Array,
): FinishedLogin {
  const { digests, flag } = exchange;
  const channelBinding = concat(utf8(`${flag},,`), exchange.channelBinding);
  const withoutProof = `c=${toBase64(channelBinding)},r=${first.nonce}`;
  const signed = authMessage(exchange.bare, serverFirst, withoutProof);
  const { clientKey, storedKey, serverKey } = scramKeys(authSecret, digests);
  const proof = xor(clientKey, digests.hmacSha256(storedKey, signed));
  const { suite, cost, realm } = first;
  return {
    message: `${withoutProof},p=${toBase64(proof)}`,
    verifyServer: (serverFinal) => {
      checkSignature(serverFinal, digests.hmacSha256(serverKey, signed));
      return { suite, bound: flag === boundFlag, cost, realm, serverKey: first.serverKey };
    },
  };
}

function checkSignature(serverFinal: string | undefined, expected: Uint8Array): void {
  const parsed = parseServerFinal(serverFinal ?? '');
  if (parsed.ok && 'signature' in parsed.value && equalDigests(parsed.value.signature, expected)) return;
  if (!parsed.ok || 'signature' in parsed.value) {
    throw new ChatError('unauthenticated', 'the server could not prove that it knows this account');
  }
  const { error } = parsed.value;
  if (error === 'invalid-proof') throw badCredentials();
  if (error === 'channel-bindings-dont-match' || error === 'server-does-support-channel-binding') {
    throw untrusted('it sees another connection than ours');
  }
  throw new ChatError('unauthenticated', `the server refused the login: ${error}`);
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', `the server cannot be trusted with a login: ${why}`);
}
