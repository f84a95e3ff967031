import { utf8 } from './crypto/bytes.ts';
import { type Digests, nobleDigests } from './crypto/digests.ts';
import type { Brand } from './model/brand.ts';
import { oneTimeCodeBytes } from './policy.ts';
import { randomBytes } from './random.ts';

/** A code that works once and that a person can copy by hand, as `K7QM-2F0V-…`: seven groups of four characters. */
export type OneTimeCode = Brand<string, 'OneTimeCode'>;

/** Crockford's base32: no I, L, O and U, so that none is taken for a digit, and no word comes out. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 16 random bytes and 12 bits over them make 140 bits: 28 characters of 5, which no other number of whole groups would be. */
const characters = 28;
const groupCharacters = 4;

/** What is said of a text that is no code, wherever it was typed. */
export const mistypedCode = 'seven groups of four letters and digits are expected; was it copied wrongly?';

/** A code of 128 random bits, in its canonical spelling (ASVS 6.4.1). */
export function newOneTimeCode(): OneTimeCode {
  return written(randomBytes(oneTimeCodeBytes));
}

/**
 * The canonical spelling of what a person typed: small letters, any spaces and dashes, O for 0, I and L for 1 are forgiven.
 * Undefined for everything else, nearly always (4,095 of 4,096) for a code with a mistake in it: a slip of the hand is told at once.
 */
export function parseOneTimeCode(typed: string): OneTimeCode | undefined {
  if (typed.length > 4 * characters) return undefined;
  const plain = typed
    .replace(/[\s\p{Pd}]/gu, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  const bytes = readBytes(plain);
  if (!bytes) return undefined;
  const code = written(bytes);
  return code.replaceAll('-', '') === plain ? code : undefined;
}

/** SHA-256 of a code: all that the store ever sees of it. */
export function oneTimeCodeDigest(code: OneTimeCode, digests: Digests = nobleDigests): Uint8Array {
  return digests.sha256(utf8(code));
}

function written(bytes: Uint8Array): OneTimeCode {
  let rest = bits(bytes);
  let text = '';
  for (let index = 0; index < characters; index++) {
    text = alphabet.charAt(Number(rest & 31n)) + text;
    rest >>= 5n;
  }
  const groups = text.match(new RegExp(`.{${groupCharacters}}`, 'g')) ?? [];
  return groups.join('-') as OneTimeCode;
}

/** The code as one number: its random bytes, and behind them the first 12 bits of their SHA-256. */
function bits(bytes: Uint8Array): bigint {
  const [first = 0, second = 0] = nobleDigests.sha256(bytes);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return (value << 12n) | BigInt((first << 4) | (second >> 4));
}

function readBytes(plain: string): Uint8Array | undefined {
  if (plain.length !== characters) return undefined;
  let value = 0n;
  for (const character of plain) {
    const digit = alphabet.indexOf(character);
    if (digit < 0) return undefined;
    value = (value << 5n) | BigInt(digit);
  }
  value >>= 12n;
  const bytes = new Uint8Array(oneTimeCodeBytes);
  for (let index = bytes.length - 1; index >= 0; index--) {
    bytes[index] = Number(value & 255n);
    value >>= 8n;
  }
  return bytes;
}
