/**
 * What {@link ./bytes.ts} asks of the platform, by hand, for one that is from before ES2026 (Node 22 and 24). It forgives what `atob`
 * forgives: the caller looks whether a text comes out again.
 */

/** So many bytes are spelled at a time: each is an argument of one call. */
const most = 8_192;

/** Base64 with padding, or base64url without. */
export function encodeBase64(bytes: Uint8Array, alphabet: 'base64' | 'base64url'): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += most) {
    binary += String.fromCharCode(...bytes.subarray(start, start + most));
  }
  const text = btoa(binary);
  return alphabet === 'base64' ? text : text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The bytes of such a text; throws for what is none. */
export function decodeBase64(text: string, alphabet: 'base64' | 'base64url'): Uint8Array {
  const binary = atob(alphabet === 'base64' ? text : text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Two digits for each byte, in lower case. */
export function encodeHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bytes of a text of such digits. */
export function decodeHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}
