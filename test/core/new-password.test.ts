import { describe, expect, it } from 'vitest';
import type { ChatError } from '../../src/core/errors.ts';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { checkNewPassword, commonPasswordWarning } from '../../src/core/new-password.ts';
import { minPasswordRange, type Policy } from '../../src/core/policy.ts';
import { FakePeer, openChat, password, peer, refusal, register, registration } from './support/chat.ts';

const common = 'it is among the most common ones, which are guessed first: choose another';

/** What the rules say of a password: nothing, a warning, or the text of a refusal. */
async function judged(
  given: string,
  commonPasswords: Policy['commonPasswords'] = 'refuse',
  minPasswordCodePoints: number = minPasswordRange.min,
): Promise<string | undefined> {
  const named = { username: parseUsername('alice.smith'), password: parsePassword(given) };
  return await checkNewPassword({ minPasswordCodePoints, commonPasswords }, named).catch(
    ({ code, message, details }: ChatError) => {
      expect([code, details.field]).toEqual(['invalid', 'password']);
      return message.replace('password: ', '');
    },
  );
}

describe('a new password', () => {
  it.each(['123456', 'password', 'PassWord', 'iloveyou', 'qwertyuiop', 'trustno1', 'password123'])(
    '%s is common: a warning, or a refusal',
    async (given) => {
      expect(await judged(given, 'warn')).toBe(commonPasswordWarning);
      expect(await judged(given, 'refuse')).toBe(common);
    },
  );

  it.each(['correct horse battery staple', 'password of mine', ' password', 'pässword', 'x7 Qm-3'])(
    '%j is not',
    async (given) => {
      expect(await judged(given, 'warn')).toBeUndefined();
      expect(await judged(given)).toBeUndefined();
    },
  );

  it('is not the username, in any case of its letters, wherever the server listens', async () => {
    const named = 'it is the username, which is guessed first';
    expect(await judged('alice.smith')).toBe(named);
    expect(await judged('Alice.Smith', 'warn')).toBe(named);
    expect(await judged('alice.smith ')).toBeUndefined();
  });

  it('has as many characters as the server asks for, counted as code points', async () => {
    const short = 'this server asks for at least 12 characters';
    expect(await judged('x7 Qm-3 bz!', 'warn', 12)).toBe(short);
    expect(await judged('x7 Qm-3 bz!?', 'warn', 12)).toBeUndefined();
    expect(await judged('🔑'.repeat(11), 'warn', 12)).toBe(short);
    expect(await judged('🔑'.repeat(12), 'warn', 12)).toBeUndefined();
    expect(await judged('🔑'.repeat(256), 'refuse', minPasswordRange.max)).toBeUndefined();
  });
});

describe('a registration that shows the password', () => {
  const refused = { code: 'invalid', message: `password: ${common}`, field: 'password' };

  it('with a common one is refused, and makes no account', async () => {
    const t = await openChat();
    const given = { username: 'olga', password: 'Trustno1' };
    expect(await refusal(t.call(peer(), 'account.register', given))).toEqual(refused);
    const byEmail = { email: 'olga@chat.example', password: 'Trustno1' };
    expect(await refusal(t.call(peer(), 'account.register', byEmail))).toEqual(refused);
    expect(await t.store.usernames({ after: '', limit: 10 })).toEqual([]);
  });

  it('with a common one is warned of where only this machine can guess', async () => {
    const t = await openChat({ policy: { commonPasswords: 'warn' } });
    const made = await t.call(peer(), 'account.register', { username: 'olga', password: 'trustno1' });
    expect(made).toMatchObject({ username: 'olga', warning: commonPasswordWarning });
    const other = await t.call(peer(), 'account.register', { username: 'oleg', password });
    expect(other).not.toHaveProperty('warning');
  });

  it('with the name, or one that is too short for this server, is refused', async () => {
    const t = await openChat({ policy: { minPasswordCodePoints: 12 } });
    const tried = (username: string, given: string) =>
      refusal(t.call(peer(), 'account.register', { username, password: given }));
    expect(await tried('olga.petrova', 'Olga.Petrova')).toMatchObject({ code: 'invalid', field: 'password' });
    expect(await tried('olga', 'x7 Qm-3 bz!')).toMatchObject({ code: 'invalid', field: 'password' });
    await t.call(peer(), 'account.register', { username: 'olga', password: 'x7 Qm-3 bz!?' });
  });

  it('says the same of a name that is taken as of one that is free', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const tried = (username: string) =>
      refusal(t.call(peer(), 'account.register', { username, password: 'trustno1' }));
    expect(await tried('alice')).toEqual(await tried('nobody'));
  });

  it('and no login asks whether a password is common', async () => {
    const t = await openChat({ policy: { commonPasswords: 'warn' } });
    await t.call(peer(), 'account.register', { username: 'olga', password: 'trustno1' });
    const strict = await openChat({ beside: t, policy: { minPasswordCodePoints: 12 } });
    const olga = new FakePeer();
    await strict.call(olga, 'login.password', { username: 'olga', password: 'trustno1' });
    expect(olga.session?.username).toBe('olga');
  });

  it('and one from a verifier is not looked into: the client has', async () => {
    const t = await openChat();
    await t.call(peer(), 'account.register', await registration('alice', 'trustno1'));
    expect(await t.store.usernames({ after: '', limit: 10 })).toEqual(['alice']);
  });
});
