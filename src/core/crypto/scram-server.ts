import { badCredentials, ChatError } from '../errors.ts';
import type { Verifier } from '../model/account.ts';
import type { Username } from '../model/username.ts';
import { concat, equalDigests, toBase64, utf8, xor } from './bytes.ts';
import { type Digests, nobleDigests } from './digests.ts';
import {
  authMessage,
  bindingBytes,
  type ClientFirst,
  chatProfile,
  formatServerFirst,
  newNonce,
  type Offer,
  offerDigest,
  parseClientFinal,
  type ScramProfile,
  type ScramReason,
  type ScramResult,
  tlsExporter,
} from './scram-messages.ts';

/** What a challenge is made of. */
export interface ChallengeInput {
  /** From `parseClientFirst`. */
  readonly clientFirst: ClientFirst;
  /** The account's, or the name's fake one (`verifierOrFake`). */
  readonly verifier: Verifier;
  readonly realm: string;
  /** What this server offers on this connection: no binding where there is no TLS 1.3. */
  readonly offer: Offer;
  /** The server's long-lived public key, DER SPKI. */
  readonly serverPublicKey: Uint8Array;
  /** The server's challenge; left out it is 18 random bytes in base64. */
  readonly serverNonce?: string;
}

/** A login between challenge and proof, as plain data: the caller keeps it for one try and 60 s (security 1.5). */
export interface ServerExchange {
  /** server-first, to be sent. */
  readonly message: string;
  readonly username: Username;
  readonly clientFirst: ClientFirst;
  /** The client's nonce and the server's after it. */
  readonly nonce: string;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * Answers a client's first message with a challenge (RFC 5802 section 5, server side). Refuses a client that says nothing was
 * offered when a binding was, and one that binds to what is not offered (RFC 5802 section 6).
 */
export function serverFirst(
  input: ChallengeInput,
  digests: Digests = nobleDigests,
  profile: ScramProfile = chatProfile,
): ScramResult<ServerExchange> {
  const { clientFirst, verifier, realm, offer, serverPublicKey, serverNonce = newNonce() } = input;
  const reason = bindingRefusal(clientFirst, offer.bindings);
  if (reason !== undefined) return { ok: false, reason };
  const { suite, salt, cost, storedKey, serverKey } = verifier;
  const nonce = clientFirst.nonce + serverNonce;
  const message = formatServerFirst(
    {
      nonce,
      salt,
      cost,
      suite,
      realm,
      offer: offerDigest(offer, digests),
      serverKey: toBase64(digests.sha256(serverPublicKey)),
    },
    profile,
  );
  return {
    ok: true,
    value: { message, username: clientFirst.username, clientFirst, nonce, storedKey, serverKey },
  };
}

/**
 * Judges a client's proof and answers server-final, `v=<signature>` (RFC 5802 section 3). `binding` is what this server
 * exported from the connection the proof came over, 32 bytes, or undefined where it has none. The caller drops the exchange
 * whatever the outcome: one challenge, one try. Two HMACs and one hash.
 */
export function verifyClientFinal(
  exchange: ServerExchange,
  clientFinal: string,
  binding: Uint8Array | undefined,
  digests: Digests = nobleDigests,
): ScramResult<string> {
  const parsed = parseClientFinal(clientFinal);
  if (!parsed.ok) return parsed;
  const { channelBinding, nonce, proof, withoutProof } = parsed.value;
  if (nonce !== exchange.nonce) return { ok: false, reason: 'other-error' };
  const expected = expectedBinding(exchange.clientFirst, binding);
  if (expected === undefined || !equalDigests(channelBinding, expected)) {
    return { ok: false, reason: 'channel-bindings-dont-match' };
  }
  const signed = authMessage(exchange.clientFirst.bare, exchange.message, withoutProof);
  const clientKey = xor(proof, digests.hmacSha256(exchange.storedKey, signed));
  if (!equalDigests(digests.sha256(clientKey), exchange.storedKey)) {
    return { ok: false, reason: 'invalid-proof' };
  }
  return { ok: true, value: `v=${toBase64(digests.hmacSha256(exchange.serverKey, signed))}` };
}

/** What a refused login is answered with: one text for everything that could tell a right name from a wrong one (security 1.8). */
export function loginRefusal(reason: ScramReason): ChatError {
  switch (reason) {
    case 'invalid-encoding':
    case 'extensions-not-supported':
      return new ChatError('invalid', `message: not a login message (${reason})`, { field: 'message' });
    case 'invalid-proof':
    case 'other-error':
      return badCredentials();
    case 'channel-bindings-dont-match':
    case 'server-does-support-channel-binding':
    case 'channel-binding-not-supported':
    case 'unsupported-channel-binding-type':
      return new ChatError('unauthenticated', `the login does not fit this connection (${reason})`);
  }
}

function bindingRefusal({ binding }: ClientFirst, offered: readonly string[]): ScramReason | undefined {
  if (binding.flag === 'n') return undefined;
  if (binding.flag === 'y') return offered.length > 0 ? 'server-does-support-channel-binding' : undefined;
  if (offered.length === 0) return 'channel-binding-not-supported';
  return binding.name === tlsExporter && offered.includes(tlsExporter)
    ? undefined
    : 'unsupported-channel-binding-type';
}

/** The `c` that this exchange must end with; undefined when it claims to be bound and there is nothing to bind to. */
function expectedBinding(first: ClientFirst, binding: Uint8Array | undefined): Uint8Array | undefined {
  const header = utf8(first.gs2Header);
  if (first.binding.flag !== 'p') return header;
  return binding?.length === bindingBytes ? concat(header, binding) : undefined;
}
