import { beforeAll, describe, expect, test } from 'vitest';
import { equalDigests } from '../../../src/core/crypto/bytes.ts';
import {
  authSecretFrom,
  bcryptRaw,
  boundPassword,
  isRealm,
  stretch,
} from '../../../src/core/crypto/stretch.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { golden } from './golden.ts';

describe('stretching the golden password', () => {
  test('gives P of security 1.2', () => {
    expect(boundPassword(golden)).toBe(golden.boundPassword);
  });

  test('gives the raw bytes of bcrypt', async () => {
    const bcrypted = await bcryptRaw(golden.boundPassword, golden.salt, golden.cost);
    expect(bcrypted.toHex()).toBe(golden.bcrypted);
  });

  test('gives the AuthSecret, and shows how far it is from 0 to 1', async () => {
    const seen: number[] = [];
    expect(await stretch(golden, (fraction) => seen.push(fraction))).toEqual(golden.authSecret);
    expect(seen.at(0)).toBe(0);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test('gives the AuthSecret from bcrypt bytes by HKDF', () => {
    expect(authSecretFrom(Uint8Array.fromHex(golden.bcrypted))).toEqual(golden.authSecret);
  });
});

describe('what a password is bound to', () => {
  test.each([
    ['another realm', { realm: 'chat.other' }],
    ['another name', { username: parseUsername('alicia') }],
    ['another password', { password: parsePassword('correct horse battery stapl3') }],
  ])('%s gives another P', (_, changed) => {
    expect(boundPassword({ ...golden, ...changed })).not.toBe(golden.boundPassword);
  });

  test('a realm is 1 to 64 plain characters, so that no separator can move', () => {
    expect(isRealm('a')).toBe(true);
    expect(isRealm('A-Z_09.x'.repeat(8))).toBe(true);
    for (const text of ['', `${'A-Z_09.x'.repeat(8)}a`, 'a|b', 'a,b', 'a=b', 'a b', 'é', 'a\n']) {
      expect(isRealm(text)).toBe(false);
    }
  });
});

describe('what reaches bcrypt', () => {
  test.each([4, 9, 15, 31, 0, -10, 10.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is never a cost of %d',
    async (cost) => {
      await expect(stretch({ ...golden, cost })).rejects.toMatchObject({
        code: 'invalid',
        message: 'cost: it is a whole number, 10 to 14',
        details: { field: 'cost' },
      });
    },
  );

  test('is a cost up to 14', async () => {
    const bcrypted = await bcryptRaw(golden.boundPassword, golden.salt, 14);
    expect(bcrypted).toHaveLength(23);
    expect(bcrypted.toHex()).not.toBe(golden.bcrypted);
  });

  test.each([0, 15, 17, 32])('is never a salt of %i bytes', async (length) => {
    await expect(stretch({ ...golden, salt: new Uint8Array(length) })).rejects.toMatchObject({
      code: 'invalid',
      message: 'salt: it has exactly 16 bytes',
      details: { field: 'salt' },
    });
  });

  test('is never bound to something that is no realm', async () => {
    await expect(stretch({ ...golden, realm: 'a|b' })).rejects.toMatchObject({
      code: 'invalid',
      message: 'realm: not a realm',
      details: { field: 'realm' },
    });
  });
});

describe('passwords that look alike never stand for each other (ASVS 6.2.8)', () => {
  const stretched = (password: string): Promise<Uint8Array> =>
    stretch({ ...golden, password: parsePassword(password) });
  let secrets: readonly Uint8Array[];

  // One stretch each: the ordinary one, then case, trailing space, and two that differ in byte 73 alone.
  const passwords = ['password', 'Password', 'password ', `${'x'.repeat(72)}a`, `${'x'.repeat(72)}b`];
  beforeAll(async () => {
    secrets = await Promise.all(passwords.map(stretched));
  });

  test('neither by case, nor by a trailing space, nor by byte 73', () => {
    for (const [index, secret] of secrets.entries()) {
      expect(secrets.filter((other) => equalDigests(other, secret))).toEqual([secrets[index]]);
    }
  });
});

test.each([64, 128, 1_000])(
  'a password of %i bytes works, and its last byte counts (ASVS 6.2.9)',
  async (length) => {
    const of = (last: string): Promise<Uint8Array> =>
      stretch({ ...golden, password: parsePassword('p'.repeat(length - 1) + last) });
    const [once, again, other] = await Promise.all([of('p'), of('p'), of('q')]);
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  },
);

test('a password of emoji, digits and spaces stretches the same however its accents were typed (ASVS 6.2.5)', async () => {
  const of = (password: string): Promise<Uint8Array> =>
    stretch({ ...golden, password: parsePassword(password) });
  const [composed, decomposed] = await Promise.all([of('🐎 12 caf\u00e9'), of('🐎\u00a012 cafe\u0301')]);
  expect(decomposed).toEqual(composed);
});
