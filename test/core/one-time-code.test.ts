import { sha256 } from '@noble/hashes/sha2.js';
import { afterEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/core/crypto/bytes.ts';
import {
  newOneTimeCode,
  type OneTimeCode,
  oneTimeCodeDigest,
  parseOneTimeCode,
} from '../../src/core/one-time-code.ts';
import { scriptRandomness } from '../../src/core/random.ts';

let restore = (): void => {};
afterEach(() => restore());

/** A code of scripted bytes, and how many were asked for. */
function codeOf(bytes: readonly number[]): { code: OneTimeCode; asked: number[] } {
  const asked: number[] = [];
  restore = scriptRandomness((length) => {
    asked.push(length);
    return Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length] ?? 0);
  });
  const code = newOneTimeCode();
  restore();
  return { code, asked };
}

describe('ASVS 6.4.1: a new code', () => {
  test('is 128 random bits and a check over them, in seven groups of four', () => {
    const { code, asked } = codeOf([0x00, 0x44, 0x32, 0x14, 0xc7]);
    expect(asked).toEqual([16]);
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(code.slice(0, 10)).toBe('0123-4567-');
  });

  test('has its zeros in front and its last bit', () => {
    expect(codeOf([0]).code).toMatch(/^0000-0000-0000-0000-0000-0000-0[0-9A-Z]{3}$/);
    expect(codeOf([255]).code).toMatch(/^ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-Z[0-9A-Z]{3}$/);
    expect(codeOf([...Array(15).fill(0), 1]).code).toMatch(/^0000-0000-0000-0000-0000-0000-0[4-7]..$/);
  });

  test('is never one that was there before', () => {
    expect(new Set(Array.from({ length: 1_000 }, newOneTimeCode)).size).toBe(1_000);
  });
});

describe('a code that is read', () => {
  test('is what was written, whatever its bytes', () => {
    for (let count = 0; count < 500; count++) {
      const code = newOneTimeCode();
      expect(parseOneTimeCode(code)).toBe(code);
    }
  });

  const { code } = codeOf([0, 16, 1, 255]);
  test.each([
    ['small letters', code.toLowerCase()],
    ['no dashes', code.replaceAll('-', '')],
    ['spaces for dashes, and around it', ` ${code.replaceAll('-', ' ')} \r\n`],
    ['other dashes', code.replaceAll('-', '–')],
    ['the letter O for a zero', code.replaceAll('0', 'O')],
    ['a small o for a zero', code.replaceAll('0', 'o')],
    ['I for a one', code.replaceAll('1', 'I')],
    ['a small L for a one', code.replaceAll('1', 'l')],
  ])('may have %s', (_, typed) => {
    expect(code).toMatch(/0.*1|1.*0/);
    expect(parseOneTimeCode(typed)).toBe(code);
  });

  test.each([
    ['nothing', ''],
    ['one character less', code.slice(0, -1)],
    ['one character more', `${code}0`],
    ['a letter that no code has', code.replace(/.$/, 'U')],
    ['a sign', code.replace('-', '_')],
    ['one wrong character', code.replace(/^./, '7')],
    ['a session token', `cs1_${'A'.repeat(43)}`],
    ['a very long text', ' '.repeat(1_000_000) + code],
  ])('is refused as %s', (_, typed) => {
    expect(parseOneTimeCode(typed)).toBeUndefined();
  });

  test('is refused when two neighbours changed places, nearly always', () => {
    let accepted = 0;
    for (let count = 0; count < 200; count++) {
      const plain = newOneTimeCode().replaceAll('-', '');
      const swapped = `${plain[1]}${plain[0]}${plain.slice(2)}`;
      if (swapped !== plain && parseOneTimeCode(swapped)) accepted += 1;
    }
    expect(accepted).toBeLessThan(5);
  });
});

test('the store sees the SHA-256 of the canonical spelling', () => {
  const { code } = codeOf([7]);
  expect(oneTimeCodeDigest(code)).toEqual(sha256(utf8(code)));
  const typed = parseOneTimeCode(code.toLowerCase().replaceAll('-', ' '));
  expect(typed && oneTimeCodeDigest(typed)).toEqual(oneTimeCodeDigest(code));
});
