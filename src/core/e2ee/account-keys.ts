import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { randomBytes } from '../random.ts';

/** An account's secret keys of one epoch, 32 bytes each (security 5). They never leave its clients but sealed. */
export interface SecretKeys {
  /** Ed25519: signs records and messages. */
  readonly identity: Uint8Array;
  /** X25519: opens content keys. */
  readonly encryption: Uint8Array;
}

/** What others know of them, 32 bytes each. */
export interface PublicKeys {
  readonly identity: Uint8Array;
  readonly encryption: Uint8Array;
}

/** Keys of small order are so for every secret key. */
const anySecret = new Uint8Array(32).fill(1);

/** Keys for a new account. */
export function newSecretKeys(): SecretKeys {
  return { identity: randomBytes(32), encryption: randomBytes(32) };
}

/** Keys for the next epoch: who the account is stays, so that nobody has to trust it anew. */
export function nextSecretKeys({ identity }: SecretKeys): SecretKeys {
  return { identity, encryption: randomBytes(32) };
}

/** The public halves (RFC 8032, RFC 7748). */
export function publicKeysOf({ identity, encryption }: SecretKeys): PublicKeys {
  return { identity: ed25519.getPublicKey(identity), encryption: x25519.getPublicKey(encryption) };
}

/**
 * Whether a public encryption key agrees on a secret at all: with one of small order everybody agrees on zeros (RFC 7748, 6.1), and
 * nothing can be sealed to it.
 */
export function isEncryptionKey(publicKey: Uint8Array): boolean {
  try {
    x25519.getSharedSecret(anySecret, publicKey);
    return true;
  } catch {
    return false;
  }
}
