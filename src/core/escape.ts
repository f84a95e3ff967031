/**
 * What could move a cursor, hide text or forge a line: C0 and C1 controls and DEL, line and paragraph
 * separators, the bidirectional controls (Unicode UAX 9, "trojan source") and lone surrogates.
 */
export const unsafeCharacters =
  /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A character's code in so many hexadecimal digits. */
export function hexOf(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}

/** Makes another person's text safe to print as one line: `\n`, `\x1b`, `\u202e` (ASVS 16.4.1). A backslash stays itself. */
export function escapeForTerminal(text: string): string {
  return text.replace(
    unsafeCharacters,
    (character) =>
      named[character] ??
      (character.charCodeAt(0) < 0x100 ? `\\x${hexOf(character, 2)}` : `\\u${hexOf(character, 4)}`),
  );
}
