import type { Brand } from '../model/brand.ts';
import { tokenBytes } from '../policy.ts';
import { randomBytes } from '../random.ts';
import { fromBase64url, toBase64url, utf8 } from './bytes.ts';
import { type Digests, nobleDigests } from './digests.ts';

/** `cs1_` and 32 bytes in base64url: who has it is logged in. */
export type SessionToken = Brand<string, 'SessionToken'>;
/** `cr1_` and 32 bytes in base64url: good for one new pair of tokens. */
export type RefreshToken = Brand<string, 'RefreshToken'>;

/** `cf1_` and 32 bytes in base64url: shows that a request with a session's cookie was meant (spec K8). */
export type CsrfToken = Brand<string, 'CsrfToken'>;

/** A session's two tokens; they leave the server once, in the answer that made them. */
export interface TokenPair {
  readonly sessionToken: SessionToken;
  readonly refreshToken: RefreshToken;
}

const sessionPrefix = 'cs1_';
const refreshPrefix = 'cr1_';
const csrfPrefix = 'cf1_';

/** Two tokens of 32 random bytes each (security 3). */
export function newTokens(): TokenPair {
  return tokenPair(randomBytes(tokenBytes), randomBytes(tokenBytes));
}

/** A CSRF token of 32 random bytes. */
export function newCsrfToken(): CsrfToken {
  return `${csrfPrefix}${toBase64url(randomBytes(tokenBytes))}` as CsrfToken;
}

/** A session token in its one canonical spelling; undefined for anything else, a refresh token included. */
export function parseSessionToken(text: string): SessionToken | undefined {
  return isToken(text, sessionPrefix) ? (text as SessionToken) : undefined;
}

/** A refresh token in its one canonical spelling; undefined for anything else, a session token included. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  return isToken(text, refreshPrefix) ? (text as RefreshToken) : undefined;
}

/** A CSRF token in its one canonical spelling; undefined for anything else. */
export function parseCsrfToken(text: string): CsrfToken | undefined {
  return isToken(text, csrfPrefix) ? (text as CsrfToken) : undefined;
}

/** SHA-256 of a token, prefix included: all that the store ever sees of it (security 3). */
export function tokenDigest(
  token: SessionToken | RefreshToken | CsrfToken,
  digests: Digests = nobleDigests,
): Uint8Array {
  return digests.sha256(utf8(token));
}

/**
 * The pair that follows a refresh token, always the same one. A client whose answer was lost presents the same token again
 * and, within the grace, must get the same successor (security 3); the store has only digests and could not repeat it, so it is
 * computed: HMAC(server secret, label and token). A stolen database alone does not yield it, nor does a token without the
 * secret. `serverSecret` has 32 random bytes and is kept outside the database.
 */
export function successors(
  serverSecret: Uint8Array,
  token: RefreshToken,
  digests: Digests = nobleDigests,
): TokenPair {
  const derived = (what: string): Uint8Array =>
    digests.hmacSha256(serverSecret, utf8(`chat successor ${what}|${token}`));
  return tokenPair(derived('session'), derived('refresh'));
}

function tokenPair(session: Uint8Array, refresh: Uint8Array): TokenPair {
  return {
    sessionToken: `${sessionPrefix}${toBase64url(session)}` as SessionToken,
    refreshToken: `${refreshPrefix}${toBase64url(refresh)}` as RefreshToken,
  };
}

function isToken(text: string, prefix: string): boolean {
  return text.startsWith(prefix) && fromBase64url(text.slice(prefix.length))?.length === tokenBytes;
}
