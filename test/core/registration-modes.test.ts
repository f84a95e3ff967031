import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { nobleDigests } from '../../src/core/crypto/digests.ts';
import { offerClaim } from '../../src/core/offer-claim.ts';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { PasswordStretcher } from '../../src/core/ports/password-stretcher.ts';
import {
  authSecret,
  FakePeer,
  login,
  openChat,
  password,
  refusal,
  registration,
  type TestChat,
} from './support/chat.ts';

const start = Date.parse('2026-11-21T09:30:00Z');
beforeEach(() => {
  vi.useFakeTimers({
    now: start,
    toFake: ['Date', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const needed = {
  code: 'forbidden',
  message: 'an invite is needed to register on this server: ask an administrator',
  field: 'invite',
};
const notGood = {
  code: 'forbidden',
  message: 'this invite is not good: it may be mistyped, used, over or taken back',
  field: 'invite',
};
const closed = { code: 'forbidden', message: 'registration is closed on this server' };

/** A chat with alice, who administers. */
async function administered(mode: Policy['registration'], stretcher?: PasswordStretcher) {
  const t = await openChat({ policy: { registration: mode }, ...(stretcher && { stretcher }) });
  const code = (await offerClaim(t.store, nobleDigests)) ?? '';
  await t.call(new FakePeer(), 'account.register', { ...(await registration('alice')), invite: code });
  const alice = new FakePeer();
  await login(t, alice, 'alice');
  await t.call(alice, 'admin.claim', { code });
  return { t, alice };
}

const registers = async (t: TestChat, name: string, invite?: string) =>
  t.call(new FakePeer(), 'account.register', {
    ...(await registration(name)),
    ...(invite !== undefined && { invite }),
  });

describe('registration', () => {
  test('open takes everybody, and leaves an invite that is given as it was', async () => {
    const { t, alice } = await administered('open');
    const { code } = await t.call(alice, 'admin.create-invite', {});
    await registers(t, 'bob');
    await registers(t, 'carol', code);
    await registers(t, 'dave', 'nonsense');
    expect((await t.call(alice, 'admin.invites', {})).invites.map(({ uses_left }) => uses_left)).toEqual([1]);
    expect(await t.call(alice, 'account.begin-register', {})).toMatchObject({ registration: 'open' });
  });

  test('invite takes who brings one, once for each use', async () => {
    const { t, alice } = await administered('invite');
    expect(await t.call(alice, 'account.begin-register', {})).toMatchObject({ registration: 'invite' });
    expect(await refusal(registers(t, 'bob'))).toEqual(needed);
    expect(await refusal(registers(t, 'bob', ''))).toEqual(needed);
    const invite = await t.call(alice, 'admin.create-invite', { uses: 2 });
    expect(invite).toMatchObject({ uses: 2, expires_at: '2026-11-21T10:30:00.000Z' });
    expect(await refusal(registers(t, 'alice', invite.code))).toMatchObject({ code: 'conflict' });
    await registers(t, 'bob', invite.code);
    await registers(t, 'carol', invite.code.toLowerCase().replaceAll('-', ' '));
    expect(await refusal(registers(t, 'dave', invite.code))).toEqual(notGood);
  });

  test('6.4.1: an invite that was mistyped, made up, used, taken back or is an hour old gets one answer', async () => {
    const { t, alice } = await administered('invite');
    const used = (await t.call(alice, 'admin.create-invite', {})).code;
    await registers(t, 'bob', used);
    const back = await t.call(alice, 'admin.create-invite', {});
    await t.call(alice, 'admin.revoke-invite', { id: back.id });
    const old = (await t.call(alice, 'admin.create-invite', {})).code;
    for (const invite of ['nonsense', newOneTimeCode(), used, back.code]) {
      expect(await refusal(registers(t, 'carol', invite))).toEqual(notGood);
      // A name that is taken makes no difference to who is not let in.
      expect(await refusal(registers(t, 'alice', invite))).toEqual(notGood);
    }
    vi.setSystemTime(start + 3_600_000 - 1);
    expect(await refusal(registers(t, 'alice', old))).toMatchObject({ code: 'conflict' });
    vi.setSystemTime(start + 3_600_000);
    expect(await refusal(registers(t, 'carol', old))).toEqual(notGood);
    expect(await t.store.accounts({ after: '', limit: 10 })).toHaveLength(2);
  });

  test('invite makes one account of two that come at once with the last use', async () => {
    const { t, alice } = await administered('invite');
    const { code } = await t.call(alice, 'admin.create-invite', {});
    const outcomes = await Promise.allSettled([registers(t, 'bob', code), registers(t, 'carol', code)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await t.store.accounts({ after: '', limit: 10 })).toHaveLength(2);
  });

  test('invite stretches no password for who is not let in', async () => {
    const stretched: string[] = [];
    const { t } = await administered('invite', {
      stretch: ({ username, password: secret, salt, cost }) => {
        stretched.push(username);
        return authSecret(username, secret, salt, cost);
      },
    });
    const shown = (invite?: string) =>
      t.call(new FakePeer(), 'account.register', { username: 'bob', password, ...(invite && { invite }) });
    expect(await refusal(shown())).toEqual(needed);
    expect(await refusal(shown(newOneTimeCode()))).toEqual(notGood);
    expect(stretched).toEqual([]);
  });

  test('closed takes nobody, with an invite or without, but for the first administrator', async () => {
    const { t, alice } = await administered('closed');
    expect(await t.call(alice, 'account.begin-register', {})).toMatchObject({ registration: 'closed' });
    const { code } = await t.call(alice, 'admin.create-invite', {});
    expect(await refusal(registers(t, 'bob'))).toEqual(closed);
    for (const invite of [code, 'mistyped']) {
      expect(await refusal(registers(t, 'bob', invite))).toEqual({
        code: 'forbidden',
        message: 'registration is closed on this server, and this is no code for its first administrator',
        field: 'invite',
      });
    }
    expect(await t.store.accounts({ after: '', limit: 10 })).toHaveLength(1);
  });
});

describe('invites', () => {
  test('are made, listed without their codes and taken back by administrators alone', async () => {
    const { t, alice } = await administered('open');
    await registers(t, 'bob');
    const bob = new FakePeer();
    await login(t, bob, 'bob');
    const only = { code: 'forbidden', message: 'only an administrator may do this' };
    const made = await t.call(alice, 'admin.create-invite', { uses: 3, expires_in_s: 7 * 86_400 });
    expect(await refusal(t.call(bob, 'admin.create-invite', {}))).toEqual(only);
    expect(await refusal(t.call(bob, 'admin.invites', {}))).toEqual(only);
    expect(await refusal(t.call(bob, 'admin.revoke-invite', { id: made.id }))).toEqual(only);
    expect(await t.call(alice, 'admin.invites', {})).toEqual({
      invites: [
        {
          id: made.id,
          by: 'alice',
          created_at: '2026-11-21T09:30:00.000Z',
          expires_at: '2026-11-28T09:30:00.000Z',
          uses: 3,
          uses_left: 3,
        },
      ],
      next: null,
    });
    await t.call(alice, 'admin.revoke-invite', { id: made.id });
    expect(await refusal(t.call(alice, 'admin.revoke-invite', { id: made.id }))).toEqual({
      code: 'not-found',
      message: 'there is no such invite',
      field: 'id',
    });
  });

  test.each([{ uses: 0 }, { uses: 1_001 }, { expires_in_s: 0 }, { expires_in_s: 90 * 86_400 + 1 }])(
    'are not made with %j',
    async (params) => {
      const { t, alice } = await administered('open');
      expect(await refusal(t.call(alice, 'admin.create-invite', params))).toMatchObject({
        code: 'invalid',
        field: Object.keys(params)[0],
      });
    },
  );
});
