import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { randomBytes } from '../random.ts';
import { concat, utf8 } from './bytes.ts';

/** The nonce that AES-GCM takes (NIST SP 800-38D section 8.2.2), in bytes; random, for far fewer than 2^32 texts under one key. */
const nonceBytes = 12;

/** Seals what the store keeps and must not be able to read by itself. */
export interface Sealer {
  /** `context` says whose it is: what was sealed for one opens for no other. */
  seal(plain: Uint8Array, context: string): Promise<Uint8Array>;
  /** Throws for what was not sealed by this key in this context. */
  open(sealed: Uint8Array, context: string): Promise<Uint8Array>;
}

/**
 * AES-256-GCM under a key of its own for `purpose`, derived from the server's secret by HKDF (RFC 5869). A sealed text is its
 * nonce and then the ciphertext with its tag.
 */
export function createSealer(serverSecret: Uint8Array, purpose: string): Sealer {
  const bytes = expand(sha256, extract(sha256, serverSecret, utf8('chat seal')), utf8(purpose), 32);
  const imported = globalThis.crypto.subtle.importKey('raw', Uint8Array.from(bytes), 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ]);
  const parameters = (nonce: Uint8Array, context: string) => ({
    name: 'AES-GCM',
    iv: Uint8Array.from(nonce),
    additionalData: Uint8Array.from(utf8(`${purpose}|${context}`)),
  });
  return {
    async seal(plain, context) {
      const nonce = randomBytes(nonceBytes);
      const sealed = await globalThis.crypto.subtle.encrypt(
        parameters(nonce, context),
        await imported,
        Uint8Array.from(plain),
      );
      return concat(nonce, new Uint8Array(sealed));
    },
    async open(sealed, context) {
      const opened = await globalThis.crypto.subtle.decrypt(
        parameters(sealed.slice(0, nonceBytes), context),
        await imported,
        Uint8Array.from(sealed.subarray(nonceBytes)),
      );
      return new Uint8Array(opened);
    },
  };
}
