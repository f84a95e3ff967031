// The methods of base64 and hex are ES2026: Node 25, Chrome 140, Firefox 133, Safari 18.2 and later have them.
/// <reference lib="esnext.typedarrays" />

import { decodeBase64, decodeHex, encodeBase64, encodeHex } from './older-platforms.ts';

const encoder = new TextEncoder();
const isCurrent = 'toBase64' in Uint8Array.prototype;

/** The UTF-8 bytes of a text; the caller has made sure that it is well-formed. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  return isCurrent ? bytes.toBase64() : encodeBase64(bytes, 'base64');
}

/** Base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return isCurrent
    ? bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
    : encodeBase64(bytes, 'base64url');
}

/** The bytes of a text that is exactly what {@link toBase64} writes; undefined for every other text. */
export function fromBase64(text: string): Uint8Array | undefined {
  return canonical(text, 'base64', toBase64);
}

/** The bytes of a text that is exactly what {@link toBase64url} writes; undefined for every other text. */
export function fromBase64url(text: string): Uint8Array | undefined {
  return canonical(text, 'base64url', toBase64url);
}

/** The platform forgives white space and, unless told, padding and stray bits: only a text that comes out again is accepted. */
function canonical(
  text: string,
  alphabet: 'base64' | 'base64url',
  encode: (bytes: Uint8Array) => string,
): Uint8Array | undefined {
  try {
    const bytes = isCurrent ? Uint8Array.fromBase64(text, { alphabet }) : decodeBase64(text, alphabet);
    return encode(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Two hexadecimal digits for each byte, in lower case. */
export function toHex(bytes: Uint8Array): string {
  return isCurrent ? bytes.toHex() : encodeHex(bytes);
}

/** The bytes of a text that is exactly what {@link toHex} writes; undefined for every other text. */
export function fromHex(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return undefined;
  return isCurrent ? Uint8Array.fromHex(text) : decodeHex(text);
}

/** One array after the other, in a new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** The exclusive or of two arrays of one length, in a new array; throws RangeError when the lengths differ. */
export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length !== b.length) throw new RangeError('xor takes two arrays of one length');
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}

/**
 * True when two digests are equal, in a time that depends on their length alone (security 1.8, ASVS 11.2.4).
 * For digests, keys and signatures, whose length is no secret; arrays of different length are never equal.
 */
export function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
