import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';

/**
 * The two primitives that logins and tokens are made of (security 1.11). Each answers 32 bytes.
 *
 * This is a seam for speed only: core uses {@link nobleDigests}, and a server may hand in the platform's, for example
 * `{ sha256: (data) => hash('sha256', data, 'buffer'), hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest() }`
 * from `node:crypto`. Both compute the same function.
 */
export interface Digests {
  /** SHA-256 (FIPS 180-4). */
  sha256(data: Uint8Array): Uint8Array;
  /** HMAC-SHA-256 (RFC 2104). */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
}

/** The digests that work everywhere. */
export const nobleDigests: Digests = {
  sha256: (data) => sha256(data),
  hmacSha256: (key, data) => hmac(sha256, key, data),
};
