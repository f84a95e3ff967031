import type { Brand } from '../model/brand.ts';
import { randomBytes } from '../random.ts';

/** `3-7K2M-QX9D-0VWT`: its number in its set, and 60 random bits in Crockford's base32. */
export type RecoveryCode = Brand<string, 'RecoveryCode'>;

/** How many a set has: each has one digit for its number. */
export const recoveryCodes = 10;

/** No I, L, O and U, so that none is taken for a digit and no word comes out. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const characters = 12;

/** One set, each code at the place of its number. */
export function newRecoveryCodes(): RecoveryCode[] {
  return Array.from({ length: recoveryCodes }, (_, number) => {
    // 32 divides 256: each character is as likely as every other.
    const secret = Array.from(randomBytes(characters), (byte) => alphabet.charAt(byte % alphabet.length));
    return written(String(number) + secret.join(''));
  });
}

/**
 * A code in its one spelling, and its number: whoever judges it makes one slow hash and not ten. Small letters, any spaces and
 * dashes, O for 0, I and L for 1 are forgiven; undefined for what has no code's form.
 */
export function parseRecoveryCode(
  typed: string,
): { readonly code: RecoveryCode; readonly number: number } | undefined {
  if (typed.length > 64) return undefined;
  const plain = typed
    .replace(/[\s\p{Pd}]/gu, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  if (!new RegExp(`^[0-9][${alphabet}]{${characters}}$`).test(plain)) return undefined;
  return { code: written(plain), number: Number(plain.charAt(0)) };
}

function written(plain: string): RecoveryCode {
  return `${plain.charAt(0)}-${(plain.slice(1).match(/.{4}/g) ?? []).join('-')}` as RecoveryCode;
}
