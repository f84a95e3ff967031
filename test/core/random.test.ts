import { describe, expect, it, vi } from 'vitest';
import { randomBytes, scriptRandomness, uuidV7 } from '../../src/core/random.ts';

describe('random bytes', () => {
  it('are as many as asked for, from none to more than are fetched at once', () => {
    for (const length of [0, 1, 16, 32, 511, 512, 513, 4_095, 4_096, 4_097, 65_536]) {
      expect(randomBytes(length)).toHaveLength(length);
    }
  });

  it('never come twice, over many fetches', () => {
    const seen = new Set(Array.from({ length: 20_000 }, () => randomBytes(16).join()));
    expect(seen.size).toBe(20_000);
  });

  it('are every bit as often one as none', () => {
    const ones = new Array<number>(8).fill(0);
    const bytes = 100_000;
    for (let i = 0; i < bytes; i += 20) {
      for (const byte of randomBytes(20)) {
        for (let bit = 0; bit < 8; bit++) ones[bit] = (ones[bit] ?? 0) + ((byte >> bit) & 1);
      }
    }
    // Six standard deviations.
    for (const count of ones) expect(Math.abs(count - bytes / 2)).toBeLessThan(3 * Math.sqrt(bytes));
  });

  it('are the caller’s own: what is written into them shows in no others', () => {
    const fetch = vi.spyOn(globalThis.crypto, 'getRandomValues').mockImplementation((array) => {
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).fill(7);
      return array;
    });
    try {
      // Whatever was fetched before is used up.
      for (let i = 0; i < 9; i++) randomBytes(512);
      const first = randomBytes(16);
      first.fill(0);
      expect(randomBytes(16)).toEqual(new Uint8Array(16).fill(7));
      expect(first.buffer.byteLength).toBe(16);
    } finally {
      fetch.mockRestore();
      // None of the sevens stay for others.
      for (let i = 0; i < 9; i++) randomBytes(512);
    }
  });

  it('are fetched for many callers at once', () => {
    const fetch = vi.spyOn(globalThis.crypto, 'getRandomValues');
    try {
      for (let i = 0; i < 256; i++) randomBytes(32);
      expect(fetch.mock.calls.length).toBeLessThanOrEqual(3);
    } finally {
      fetch.mockRestore();
    }
  });

  it('come from a script where a test gives one, and from the platform again afterwards', () => {
    const release = scriptRandomness((length) => new Uint8Array(length).fill(1));
    expect(randomBytes(3)).toEqual(new Uint8Array([1, 1, 1]));
    release();
    expect(randomBytes(32)).not.toEqual(new Uint8Array(32).fill(1));
  });
});

describe('a UUID', () => {
  it('is of version 7 and never the same', () => {
    const ids = new Set(Array.from({ length: 1_000 }, uuidV7));
    expect(ids.size).toBe(1_000);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
