import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/crypto/bytes.ts';
import { isSignedBy, signWith } from '../../../src/core/e2ee/signatures.ts';

const secret = new Uint8Array(32).fill(7);
const identity = ed25519.getPublicKey(secret);
const text = utf8('what was said');

/** Added to a signature's second half, it is the same number to a lenient reader (RFC 8032, 5.1.7). */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

function plusOrder(signature: Uint8Array): Uint8Array {
  const other = signature.slice();
  let sum = order;
  for (let at = 32; at < 64; at++) {
    sum += BigInt(other[at] ?? 0);
    other[at] = Number(sum & 0xffn);
    sum >>= 8n;
  }
  return other;
}

/** Every point of small order, in hexadecimal, and the first in a second spelling. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

describe('a signature', () => {
  it('is the one of RFC 8032, whoever makes it, and holds for its text and its key alone', async () => {
    const signature = await signWith(secret, text);
    expect(signature).toEqual(ed25519.sign(text, secret));
    expect(await isSignedBy(identity, text, signature)).toBe(true);
    expect(await isSignedBy(identity, utf8('what was sait'), signature)).toBe(false);
    expect(await isSignedBy(ed25519.getPublicKey(new Uint8Array(32).fill(8)), text, signature)).toBe(false);
  });

  it('does not hold with any of its bytes changed, nor in a second spelling', async () => {
    const signature = await signWith(secret, text);
    for (let at = 0; at < signature.length; at++) {
      const other = signature.with(at, (signature[at] ?? 0) ^ 1);
      expect(await isSignedBy(identity, text, other), `byte ${at}`).toBe(false);
    }
    expect(await isSignedBy(identity, text, plusOrder(signature))).toBe(false);
    expect(await isSignedBy(identity, text, signature.subarray(1))).toBe(false);
  });

  it.each(smallOrder)('of nothing holds for no text with the key %s', async (hex) => {
    const key = Uint8Array.fromHex(hex);
    // The neutral point as commitment and no number: with some of these keys every lenient reader takes it for some texts.
    const signature = new Uint8Array(64).fill(1, 0, 1);
    for (let n = 0; n < 16; n++) expect(await isSignedBy(key, utf8(`text ${n}`), signature)).toBe(false);
  });

  it.each([
    ['is too short', new Uint8Array(31).fill(3)],
    ['is no point', new Uint8Array(32).fill(0xff)],
  ])('holds for no key that %s', async (_what, key) => {
    expect(await isSignedBy(key, text, await signWith(secret, text))).toBe(false);
  });
});
