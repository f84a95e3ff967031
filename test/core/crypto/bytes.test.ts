import { describe, expect, test } from 'vitest';
import * as current from '../../../src/core/crypto/bytes.ts';

const { concat, equalDigests, utf8, xor } = current;

/** The same module as it is on a platform without the methods of ES2026. */
async function loadOlder(): Promise<typeof current> {
  const prototype = Uint8Array.prototype;
  const method = Object.getOwnPropertyDescriptor(prototype, 'toBase64') as PropertyDescriptor;
  Reflect.deleteProperty(prototype, 'toBase64');
  try {
    // Under another name, so that it is loaded once more, and by nobody else.
    const again = '../../../src/core/crypto/bytes.ts?older';
    return await import(again);
  } finally {
    Object.defineProperty(prototype, 'toBase64', method);
  }
}

const platforms = [
  ['a current platform', current],
  ['an older platform', await loadOlder()],
] as const;

describe.each(platforms)('base64 on %s', (_name, { fromBase64, fromBase64url, toBase64, toBase64url }) => {
  test('comes back as the same bytes, in either alphabet', () => {
    for (const length of [0, 1, 2, 3, 32]) {
      const bytes = Uint8Array.from({ length }, (_, index) => 255 - index);
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
    }
  });

  test.each([
    ['no padding', 'AAE'],
    ['too much padding', 'AAE=='],
    ['padding alone', '===='],
    ['stray bits', 'AAF='],
    ['a space', 'AA EC'],
    ['a line end', 'AAEC\n'],
    ['the other alphabet', 'AA-_'],
    ['one character', 'A'],
    ['text after padding', 'AA==AA=='],
    ['no base64 at all', '!'],
  ])('is refused with %s', (_, text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  test.each([
    ['padding', 'AAE='],
    ['stray bits', 'AAF'],
    ['a tab', 'AA\tEC'],
    ['the other alphabet', 'AA+/'],
    ['one character', 'A'],
  ])('for URLs is refused with %s', (_, text) => {
    expect(fromBase64url(text)).toBeUndefined();
  });
});

test('an older platform spells as a current one does', () => {
  const [, [, older]] = platforms;
  for (const length of [0, 1, 2, 3, 255, 8_191, 8_192, 8_193, 20_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + length) % 256);
    expect(older.toBase64(bytes)).toBe(current.toBase64(bytes));
    expect(older.toBase64url(bytes)).toBe(current.toBase64url(bytes));
    expect(older.toHex(bytes)).toBe(current.toHex(bytes));
    expect(older.fromBase64(current.toBase64(bytes))).toEqual(bytes);
    expect(older.fromHex(current.toHex(bytes))).toEqual(bytes);
  }
});

describe.each(platforms)('hex on %s', (_name, { fromHex, toHex }) => {
  test('comes back as the same bytes', () => {
    expect(toHex(Uint8Array.of(0, 10, 255))).toBe('000aff');
    expect(fromHex('000aff')).toEqual(Uint8Array.of(0, 10, 255));
    expect(fromHex('')).toEqual(new Uint8Array());
  });

  test.each(['0', '0A', '0x', ' 00', '00\n', 'zz'])('is refused as %j', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });
});

describe('equalDigests', () => {
  const digest = Uint8Array.from({ length: 32 }, (_, index) => index);

  test('holds for the same bytes in another array', () => {
    expect(equalDigests(digest, digest.slice())).toBe(true);
  });

  test.each([0, 15, 31])('fails when one bit of byte %i differs', (index) => {
    const other = digest.slice();
    other[index] = (other[index] ?? 0) ^ 1;
    expect(equalDigests(digest, other)).toBe(false);
  });

  test('fails for a prefix and for nothing', () => {
    expect(equalDigests(digest, digest.slice(0, 31))).toBe(false);
    expect(equalDigests(digest.slice(0, 31), digest)).toBe(false);
    expect(equalDigests(new Uint8Array(), digest)).toBe(false);
  });
});

test('concat joins in order', () => {
  expect(concat(utf8('a'), new Uint8Array(), utf8('bc'))).toEqual(utf8('abc'));
});

test('xor undoes itself and refuses arrays of different length', () => {
  const [a, b] = [utf8('proof'), utf8('abcde')];
  expect(xor(xor(a, b), b)).toEqual(a);
  expect(() => xor(a, utf8('abcd'))).toThrow(RangeError);
});
