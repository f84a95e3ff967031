import { hexOf, unsafeCharacters } from '../core/escape.ts';

export { escapeForTerminal } from '../core/escape.ts';

/** One line of JSON that is safe on a terminal and parses back to exactly the same value. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(unsafeCharacters, (character) => `\\u${hexOf(character, 4)}`)}\n`;
}
