import { totpCode, totpStep } from '../../../src/core/crypto/totp.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The bytes of a secret as an authenticator reads its base32 (RFC 4648 section 6). */
export function secretOf(text: string): Uint8Array {
  const bits = [...text]
    .map((character) => alphabet.indexOf(character).toString(2).padStart(5, '0'))
    .join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** Six digits that are the code of no step near `now`. */
export function wrongCodeAt(secret: Uint8Array, now: number): string {
  const near = new Set(
    Array.from({ length: 41 }, (_, index) => totpCode(secret, totpStep(now) + index - 20)),
  );
  for (let number = 0; ; number++) {
    const code = String(number).padStart(6, '0');
    if (!near.has(code)) return code;
  }
}
