import { describe, expect, test } from 'vitest';
import {
  concat,
  equalDigests,
  fromBase64,
  fromBase64url,
  toBase64,
  toBase64url,
  utf8,
  xor,
} from '../../../src/core/crypto/bytes.ts';

describe('base64', () => {
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
