import { describe, expect, it } from 'vitest';
import { safetyNumber } from '../../../src/core/e2ee/safety-number.ts';
import { parseUsername } from '../../../src/core/model/username.ts';

const alice = { user: parseUsername('alice'), key: new Uint8Array(32).fill(1) };
const bob = { user: parseUsername('bob'), key: new Uint8Array(32).fill(2) };

describe('a safety number', () => {
  it('is 60 digits, the same on both sides', () => {
    const number = safetyNumber('chat.example', alice, bob);
    expect(number).toMatch(/^(\d{5} ){11}\d{5}$/);
    expect(safetyNumber('chat.example', bob, alice)).toBe(number);
  });

  it('is another one with another key, name or server', () => {
    const numbers = [
      safetyNumber('chat.example', alice, bob),
      safetyNumber('other.example', alice, bob),
      safetyNumber('chat.example', alice, { ...bob, key: new Uint8Array(32).fill(3) }),
      safetyNumber('chat.example', alice, { ...bob, user: parseUsername('bob2') }),
      safetyNumber('chat.example', { ...alice, key: bob.key }, { ...bob, key: alice.key }),
    ];
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('never changes for the same two: people keep it', () => {
    expect(safetyNumber('chat.example', alice, bob)).toBe(
      '59613 75539 18712 44420 07259 45136 07729 37970 46866 37583 70117 07621',
    );
  });
});
