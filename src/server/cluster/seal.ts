import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { SharedName } from '../../core/ports/store/settings.ts';
import { randomBytes } from '../../core/random.ts';

/** The first byte of what is sealed this way. */
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;

/** What opens and seals what the nodes of one server share, so that who reads the store knows nothing, and who writes to it changes nothing. */
export interface Seal {
  seal(name: SharedName, text: string): Uint8Array;
  /** Undefined for what was sealed under another secret, for another realm or name, or was changed. */
  open(name: SharedName, sealed: Uint8Array): string | undefined;
}

/** Seals with AES-256-GCM under a key for each name (HKDF-SHA-256 of the secret); the name and the realm are sealed with it. */
export function sealUnder(secret: Uint8Array, realm: string): Seal {
  const keyOf = (name: SharedName): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', secret, realm, `chat shared ${name}`, 32));
  const boundTo = (name: SharedName): Buffer => Buffer.from(`chat shared ${version} ${name} ${realm}`);
  return {
    seal(name, text) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(name), nonce);
      cipher.setAAD(boundTo(name));
      const body = [cipher.update(text, 'utf8'), cipher.final()];
      return new Uint8Array(Buffer.concat([Buffer.of(version), nonce, ...body, cipher.getAuthTag()]));
    },
    open(name, sealed) {
      if (sealed[0] !== version || sealed.length < 1 + nonceBytes + tagBytes) return undefined;
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', keyOf(name), nonce, { authTagLength: tagBytes });
      decipher.setAAD(boundTo(name));
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      try {
        const text = decipher.update(sealed.subarray(1 + nonceBytes, -tagBytes));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
  };
}
