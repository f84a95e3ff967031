import { sha256 } from '@noble/hashes/sha2.js';
import { afterEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/core/crypto/bytes.ts';
import {
  newCsrfToken,
  newTokens,
  parseRefreshToken,
  parseSessionToken,
  type RefreshToken,
  successors,
  tokenDigest,
} from '../../../src/core/crypto/tokens.ts';
import { scriptRandomness } from '../../../src/core/random.ts';

let restore = (): void => {};
afterEach(() => restore());

/** Scripts chance as 01 01 …, then 02 02 …, and so on. */
function countingChance(): void {
  let call = 0;
  restore = scriptRandomness((length) => {
    call += 1;
    return new Uint8Array(length).fill(call);
  });
}

const session = `cs1_${'AQEB'.repeat(10)}AQE`;
const refresh = `cr1_${'AgIC'.repeat(10)}AgI`;

test('new tokens are 32 random bytes each, behind their prefix', () => {
  countingChance();
  expect(newTokens()).toEqual({ sessionToken: session, refreshToken: refresh });
  expect(newCsrfToken()).toBe(`cf1_${'AwMD'.repeat(10)}AwM`);
});

test('each token takes fresh chance, and none is used twice', () => {
  countingChance();
  const made = Array.from({ length: 100 }, newTokens).flatMap((pair) => [
    pair.sessionToken,
    pair.refreshToken,
  ]);
  expect(new Set(made.map((token) => token.slice(4))).size).toBe(200);
});

describe('a token that is read', () => {
  test('is what was written', () => {
    expect(parseSessionToken(session)).toBe(session);
    expect(parseRefreshToken(refresh)).toBe(refresh);
  });

  test('is never one of the other kind', () => {
    expect(parseSessionToken(refresh)).toBeUndefined();
    expect(parseRefreshToken(session)).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['the prefix alone', 'cs1_'],
    ['31 bytes', `cs1_${'A'.repeat(42)}`],
    ['33 bytes', `cs1_${'A'.repeat(44)}`],
    ['stray bits', `cs1_${'A'.repeat(42)}B`],
    ['padding', `${session}=`],
    ['the other alphabet', `cs1_${'+/'.repeat(21)}A`],
    ['a space before', ` ${session}`],
    ['a line end after', `${session}\n`],
    ['a capital prefix', session.replace('cs1_', 'CS1_')],
    ['another version', session.replace('cs1_', 'cs2_')],
  ])('is refused as %s', (_, text) => {
    expect(parseSessionToken(text)).toBeUndefined();
    expect(parseRefreshToken(text.replace('cs1_', 'cr1_'))).toBeUndefined();
  });
});

test('the store sees the SHA-256 of the whole token', () => {
  countingChance();
  const { sessionToken } = newTokens();
  expect(tokenDigest(sessionToken)).toEqual(sha256(utf8(session)));
});

describe('the successors of a refresh token', () => {
  const secret = utf8('a server secret of thirty-two bytes');
  const token = refresh as RefreshToken;
  const next = successors(secret, token);

  test('are the same each time, so that a lost answer can be given again', () => {
    expect(successors(secret, token)).toEqual(next);
    expect(next).toEqual({
      sessionToken: 'cs1__hTQQReBmMTaeHdyQyUHI2g7patZH93BCYB8rtGp7kA',
      refreshToken: 'cr1_fPMIBFpH1giNrhN6AEMiMKLk2wMlP-ALPCfTKhW89dU',
    });
  });

  test('are tokens themselves, and not each other', () => {
    expect(parseSessionToken(next.sessionToken)).toBe(next.sessionToken);
    expect(parseRefreshToken(next.refreshToken)).toBe(next.refreshToken);
    expect(next.sessionToken.slice(4)).not.toBe(next.refreshToken.slice(4));
  });

  test('cannot be had without the server secret, nor from another token', () => {
    expect(successors(utf8('another secret'), token).sessionToken).not.toBe(next.sessionToken);
    expect(successors(secret, next.refreshToken)).not.toEqual(next);
  });
});
