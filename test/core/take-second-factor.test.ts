import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import type { SessionId, UserId } from '../../src/core/model/ids.ts';
import type { Username } from '../../src/core/model/username.ts';
import { factorTakenToldMs } from '../../src/core/policy.ts';
import {
  authSecret,
  badToken,
  type FakePeer,
  loggedIn,
  login,
  type OpenChatParts,
  openChat,
  password,
  peer,
  refusal,
  register,
  registration,
  saltOf,
  type TestChat,
} from './support/chat.ts';
import { mailbox } from './support/mailbox.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const takenAt = new Date(start).toISOString();
const factorRequired = expect.objectContaining({ code: 'second-factor-required' });
const none = { code: 'conflict', message: 'this account has no second factor', field: 'username' };

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

const proof = async (name: string, secret = password) => ({
  hashed_password: formatHashedPassword(await authSecret(name, secret, saltOf(name), 10)),
});

/** Turns a factor on of which nobody has a code; of the account's sessions that of `here` goes on. */
async function lose({ store }: TestChat, name: string, here?: FakePeer): Promise<void> {
  const account = await store.account(name as Username);
  const userId = account?.id as UserId;
  const secret = new Uint8Array(20);
  const except = (here?.session?.id ?? '') as SessionId;
  await store.beginSecondFactor({ userId, secret, now: start });
  await store.confirmSecondFactor({ userId, secret, step: 1, now: start, codes: [], except });
}

/** A server with the administrator root, and alice, who has lost what gives her codes. */
async function open(parts: OpenChatParts = {}) {
  const box = mailbox();
  const t = await openChat({ ...parts, mail: box.mail });
  await t.call(peer(), 'account.register', { ...(await registration('alice')), email: 'alice@example.org' });
  await register(t, 'root', 'bob');
  await t.store.setAdministrator({ username: 'root' as Username, isAdmin: true });
  const root = await loggedIn(t, 'root');
  const take = async (username: string, by = root) =>
    await t.call(by, 'admin.take-second-factor', {
      username,
      proof: await proof(by.session?.username ?? ''),
    });
  return { t, box, root, take };
}

describe('a second factor that nobody has codes of', () => {
  it('is taken away by an administrator, and ends every session of the account', async () => {
    const { t, take, root } = await open();
    const alice = await loggedIn(t, 'alice');
    await lose(t, 'alice', alice);
    await lose(t, 'bob');
    expect(await refusal(login(t, peer(), 'alice'))).toEqual(factorRequired);
    expect(await take('alice')).toEqual({ username: 'alice', ended_sessions: 1 });
    expect([alice.endings, root.endings]).toEqual([['credentials-changed'], []]);
    const { session_token } = alice.opened;
    expect(await refusal(t.call(peer(), 'login.resume', { session_token }))).toEqual(badToken);
    const again = await loggedIn(t, 'alice');
    expect((await t.call(again, 'account.me', {})).second_factor).toEqual({
      on: false,
      recovery_codes_left: 0,
      taken_at: takenAt,
    });
    expect(await refusal(login(t, peer(), 'bob'))).toEqual(factorRequired);
  });

  it('is told to its owner for a month at each login, or until there is one again', async () => {
    const { t, take } = await open();
    await lose(t, 'alice');
    await take('alice');
    const told = async () =>
      (await t.call(await loggedIn(t, 'alice'), 'account.me', {})).second_factor.taken_at;
    expect(await told()).toBe(takenAt);
    vi.setSystemTime(start + factorTakenToldMs - 1);
    expect(await told()).toBe(takenAt);
    vi.setSystemTime(start + factorTakenToldMs);
    expect(await told()).toBeUndefined();
    vi.setSystemTime(start);
    await lose(t, 'alice');
    expect((await t.store.account('alice' as Username))?.factorTakenAt).toBeUndefined();
  });

  it('is told to a confirmed address, and to no other', async () => {
    const { t, box, take } = await open();
    await lose(t, 'alice');
    await take('alice');
    expect(box.mails).toEqual([]);
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.request-email-verification', {});
    await t.call(alice, 'account.verify-email', { code: box.code() });
    await lose(t, 'alice');
    box.mails.length = 0;
    await take('alice');
    expect(box.mails).toEqual([
      {
        kind: 'factor-taken',
        to: 'alice@example.org',
        subject: 'Your chat account has no second factor any more',
        text: [
          'An administrator took away the second factor of the chat account\nalice\nat chat.example:8080\non 2026-03-01 12:00 UTC. All its sessions have ended, and the next login asks\nfor the password alone.',
          'If you asked for this, log in and set up another one:',
          '    chat totp on --server chat.example:8080',
          'If you know nothing of this, ask the administrators of the server, and\nchange your password at once:',
          '    chat account password --server chat.example:8080\n',
        ].join('\n\n'),
      },
    ]);
  });

  it('is taken from a disabled account, which stays disabled', async () => {
    const { t, take, root } = await open();
    await lose(t, 'alice');
    await t.call(root, 'admin.disable', { username: 'alice' });
    expect(await take('alice')).toEqual({ username: 'alice', ended_sessions: 0 });
    expect(await refusal(login(t, peer(), 'alice'))).toMatchObject({ code: 'forbidden' });
    await t.call(root, 'admin.enable', { username: 'alice' });
    await loggedIn(t, 'alice');
  });

  it('8.2.1, 7.5.1: is taken by nobody but an administrator, by no session alone, and by nobody from the own account', async () => {
    const { t, root } = await open();
    await lose(t, 'alice');
    const bob = await loggedIn(t, 'bob');
    const refused: unknown[] = [];
    for (const [by, given] of [
      [peer(), { username: 'alice', proof: await proof('bob') }],
      [bob, { username: 'alice', proof: await proof('bob') }],
      [root, { username: 'alice' }],
      [root, { username: 'alice', proof: await proof('root', 'wrong horse') }],
      [root, { username: 'alice', proof: await proof('alice') }],
      [root, { username: 'root', proof: await proof('root') }],
    ] as const) {
      refused.push(await refusal(t.send(by, 'admin.take-second-factor', given)));
    }
    expect(refused).toMatchObject([
      { code: 'unauthenticated' },
      { code: 'forbidden', message: 'only an administrator may do this' },
      { code: 'invalid', field: 'proof' },
      { code: 'unauthenticated' },
      { code: 'unauthenticated' },
      {
        code: 'conflict',
        message:
          'nobody takes the own second factor away: account.totp-off turns it off, or another administrator can',
        field: 'username',
      },
    ]);
    expect(await refusal(login(t, peer(), 'alice'))).toEqual(factorRequired);
  });

  it('is refused where there is none, or no account, before the administrator’s own code is used up', async () => {
    const { t, take, root } = await open();
    expect(await refusal(take('alice'))).toEqual(none);
    expect(await refusal(take('nobody'))).toEqual({
      code: 'not-found',
      message: 'there is no user @nobody',
      field: 'username',
    });
    await lose(t, 'root', root);
    const wrong = { username: 'alice', proof: { ...(await proof('root')), otp: '000000' } };
    expect(await refusal(t.call(root, 'admin.take-second-factor', wrong))).toEqual(none);
    // A factor that is being set up is none yet.
    const userId = (await t.store.account('bob' as Username))?.id as UserId;
    await t.store.beginSecondFactor({ userId, secret: new Uint8Array(20), now: start });
    expect(await refusal(t.call(root, 'admin.take-second-factor', { ...wrong, username: 'bob' }))).toEqual(
      none,
    );
  });

  it('is taken once, by one of two administrators at once', async () => {
    const { t, take } = await open();
    await lose(t, 'alice');
    const outcomes = await Promise.allSettled([take('alice'), take('alice')]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((await t.store.account('alice' as Username))?.factorTakenAt).toBe(start);
  });

  it('leaves in the audit trail who took whose', async () => {
    const { t, take } = await open();
    await lose(t, 'alice');
    t.audit.length = 0;
    await take('alice');
    expect(t.audit.filter(({ operation }) => operation === 'admin.take-second-factor')).toMatchObject([
      { user: 'root', outcome: 'ok', details: { account: 'alice' } },
    ]);
  });
});
