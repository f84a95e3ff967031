import { describe, expect, it } from 'vitest';
import { createSealer } from '../../../src/core/crypto/seal.ts';

const key = new Uint8Array(32).fill(7);
const plain = new TextEncoder().encode('a secret of twenty b');

describe('what is sealed', () => {
  it('is opened by the same key for the same context', async () => {
    const sealed = await createSealer(key, 'totp secret').seal(plain, 'alice');
    expect(await createSealer(key, 'totp secret').open(sealed, 'alice')).toEqual(plain);
    expect(sealed).toHaveLength(12 + plain.length + 16);
    expect(Buffer.from(sealed).includes(Buffer.from(plain))).toBe(false);
  });

  it('is opened by no other key, for no other context or purpose, and not when a bit was changed', async () => {
    const sealer = createSealer(key, 'totp secret');
    const sealed = await sealer.seal(plain, 'alice');
    await expect(createSealer(new Uint8Array(32), 'totp secret').open(sealed, 'alice')).rejects.toThrow();
    await expect(createSealer(key, 'another').open(sealed, 'alice')).rejects.toThrow();
    await expect(sealer.open(sealed, 'bob')).rejects.toThrow();
    for (const index of [0, 12, sealed.length - 1]) {
      const changed = sealed.map((byte, at) => (at === index ? byte ^ 1 : byte));
      await expect(sealer.open(changed, 'alice')).rejects.toThrow();
    }
  });

  it('11.3.4: is never sealed twice with one nonce', async () => {
    const sealer = createSealer(key, 'totp secret');
    const sealed = await Promise.all(Array.from({ length: 200 }, () => sealer.seal(plain, 'alice')));
    expect(new Set(sealed.map((one) => Buffer.from(one.subarray(0, 12)).toString('hex'))).size).toBe(200);
  });
});
