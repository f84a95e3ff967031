import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/core/crypto/bytes.ts';
import {
  fakeVerifier,
  saltOfName,
  scramKeys,
  verifierFrom,
  verifierOrFake,
} from '../../../src/core/crypto/verifier.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { golden, goldenVerifier } from './golden.ts';

const serverSecret = utf8('a server secret of thirty-two bytes');

test('11.4.2: a verifier is the golden stored key and server key, and names suite and cost', () => {
  expect(verifierFrom(golden.authSecret, golden.salt, golden.cost)).toEqual({
    suite: 'CHAT-SCRAM-BCRYPT-1',
    salt: golden.salt,
    cost: 10,
    storedKey: golden.storedKey,
    serverKey: golden.serverKey,
  });
});

test('a verifier holds neither the AuthSecret nor the client key', () => {
  const { clientKey } = scramKeys(golden.authSecret);
  for (const kept of [goldenVerifier.storedKey, goldenVerifier.serverKey]) {
    expect(kept).not.toEqual(clientKey);
    expect(kept).not.toEqual(golden.authSecret);
  }
});

describe('the verifier of a name without an account', () => {
  const fake = fakeVerifier(serverSecret, parseUsername('nobody'), 12);

  test('has the shape of a real one', () => {
    expect(fake.suite).toBe('CHAT-SCRAM-BCRYPT-1');
    expect(fake.cost).toBe(12);
    expect([fake.salt.length, fake.storedKey.length, fake.serverKey.length]).toEqual([16, 32, 32]);
  });

  test('is the same for ever at one cost', () => {
    expect(fakeVerifier(serverSecret, parseUsername('nobody'), 12)).toEqual(fake);
    expect(fake.salt.toHex()).toBe('ac157ddceabed53134c72576d3335a80');
  });

  test('has another salt at another cost, and the one that a registration takes', () => {
    const name = parseUsername('nobody');
    expect(fakeVerifier(serverSecret, name, 11).salt).not.toEqual(fake.salt);
    expect(saltOfName(serverSecret, name, 12)).toEqual(fake.salt);
  });

  test.each([
    ['name', fakeVerifier(serverSecret, parseUsername('nobody2'), 12)],
    ['server', fakeVerifier(utf8('another server secret of 32 bytes'), parseUsername('nobody'), 12)],
  ])('differs in every part for another %s', (_, other) => {
    expect(other.salt).not.toEqual(fake.salt);
    expect(other.storedKey).not.toEqual(fake.storedKey);
    expect(other.serverKey).not.toEqual(fake.serverKey);
  });

  test('stands in only where nothing was found', () => {
    const name = parseUsername('nobody');
    expect(verifierOrFake(undefined, serverSecret, name, 12)).toEqual(fake);
    expect(verifierOrFake(goldenVerifier, serverSecret, name, 12)).toBe(goldenVerifier);
  });

  test('costs a known name the same work as an unknown one', () => {
    const digests = { calls: 0, sha256: () => new Uint8Array(32), hmacSha256: () => new Uint8Array(32) };
    const counted = {
      ...digests,
      hmacSha256: () => {
        digests.calls += 1;
        return new Uint8Array(32);
      },
    };
    verifierOrFake(undefined, serverSecret, parseUsername('nobody'), 12, counted);
    const unknown = digests.calls;
    verifierOrFake(goldenVerifier, serverSecret, parseUsername('alice'), 12, counted);
    expect(digests.calls).toBe(2 * unknown);
  });
});
