import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Username } from '../../src/core/model/username.ts';
import { mostFailedErasures, type Policy } from '../../src/core/policy.ts';
import {
  authSecret,
  badCredentials,
  badToken,
  challenged,
  type FakePeer,
  loggedIn,
  login,
  openChat,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const day = 24 * 3_600_000;
const week = 7 * day;

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

async function open(policy: Partial<Policy> = {}): Promise<TestChat> {
  const t = await openChat({ policy });
  await register(t, 'alice', 'bob', 'carol');
  return t;
}

async function proofOf(t: TestChat, connection: FakePeer, name = 'alice') {
  const { exchange, proof: message } = await challenged(t, connection, name);
  return { exchange, message };
}

async function erase(t: TestChat, connection: FakePeer, name = 'alice') {
  return await t.call(connection, 'account.erase', { proof: await proofOf(t, connection, name) });
}

/** Until nothing is left to be done of what was begun. */
async function settled(t: TestChat): Promise<void> {
  vi.advanceTimersByTime(0);
  for (let round = 0; round < 12; round++) await t.quiet();
}

async function texts(t: TestChat, connection: FakePeer, to: string) {
  const { messages } = await t.call(connection, 'message.history', { to });
  return messages.map(({ seq, sender, text, erased }) => ({ seq, sender, text, erased }));
}

const waits = `this account is to be erased at ${new Date(start + week).toISOString()}: \`chat account erase --cancel\` keeps it`;

describe('an account that its owner erases', () => {
  it('needs a fresh proof, and without one nothing happens (ASVS 7.5.1)', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(t.send(alice, 'account.erase', {}))).toMatchObject({
      code: 'invalid',
      field: 'proof',
    });
    const { exchange, message } = await proofOf(t, alice, 'bob');
    expect(await refusal(t.call(alice, 'account.erase', { proof: { exchange, message } }))).toMatchObject({
      code: 'unauthenticated',
    });
    expect((await t.call(alice, 'account.me', {})).erases_at).toBeUndefined();
  });

  it('is kept for a week, its sessions are ended, and a login is good for little else than to keep it', async () => {
    const t = await open();
    const [here, there] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    expect(await erase(t, here)).toEqual({ erases_at: new Date(start + week).toISOString() });
    expect(there.endings).toEqual(['revoked']);
    expect(here.endings).toEqual([]);
    expect(
      await refusal(t.call(peer(), 'login.resume', { session_token: there.opened.session_token })),
    ).toEqual(badToken);
    const back = await loggedIn(t, 'alice');
    for (const [name, params] of [
      ['message.send', { to: '#lobby', text: 'hello' }],
      ['conversation.follow', {}],
      ['user.list', {}],
      ['account.erase', { proof: await proofOf(t, back) }],
    ] as const) {
      expect(await refusal(t.send(back, name, params))).toEqual({ code: 'forbidden', message: waits });
    }
    expect((await t.call(back, 'account.me', {})).erases_at).toBe(new Date(start + week).toISOString());
    expect((await t.call(back, 'account.export', {})).rows).toMatchObject([{ username: 'alice' }]);
  });

  it('is kept when that is taken back, by a session of any door, and then it is as before', async () => {
    const t = await open();
    await erase(t, await loggedIn(t, 'alice'));
    const [one, two] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    await t.call(one, 'account.cancel-erase', {});
    for (const connection of [one, two]) {
      await t.call(connection, 'message.send', { to: '#lobby', text: 'still here' });
    }
    const resumed = peer();
    await t.call(resumed, 'login.resume', { session_token: two.opened.session_token });
    await t.call(resumed, 'message.send', { to: '#lobby', text: 'and here' });
    expect(await refusal(t.call(one, 'account.cancel-erase', {}))).toEqual({
      code: 'conflict',
      message: 'this account is not to be erased',
    });
    vi.advanceTimersByTime(week);
    await settled(t);
    expect(await login(t, peer(), 'alice')).toMatchObject({ username: 'alice' });
  });

  it('goes at the minute after its time, not one before', async () => {
    const t = await open();
    await erase(t, await loggedIn(t, 'alice'));
    vi.advanceTimersByTime(week - 60_000);
    await settled(t);
    await login(t, peer(), 'alice');
    vi.advanceTimersByTime(60_000);
    await settled(t);
    expect(await refusal(login(t, peer(), 'alice'))).toEqual(badCredentials);
    expect(t.audit.filter(({ operation }) => operation.startsWith('account.erase'))).toMatchObject([
      { operation: 'account.erase', user: 'alice', outcome: 'ok' },
      { operation: 'account.erased', user: 'alice', outcome: 'ok' },
    ]);
  });

  it('goes, and has the files scrubbed, also when the one before it cannot and messages do not expire', async () => {
    const bad = new Error('a bad row');
    let scrubs = 0;
    const t = await openChat({
      policy: { eraseAfterMs: 0, messageRetentionMs: 1_000 },
      store: (store) => ({
        ...store,
        eraseNext: (step) => (step.skip === 0 ? Promise.reject(bad) : store.eraseNext(step)),
        expireMessages: () => Promise.reject(bad),
        scrub(piece) {
          scrubs += 1;
          return store.scrub(piece);
        },
      }),
    });
    await register(t, 'alice', 'bob');
    await settled(t);
    scrubs = 0;
    t.failures.length = 0;
    await erase(t, await loggedIn(t, 'alice'));
    await settled(t);
    vi.advanceTimersByTime(1_000);
    await erase(t, await loggedIn(t, 'bob'), 'bob');
    await settled(t);
    expect(await t.store.account('bob' as Username)).toBeUndefined();
    expect(await t.store.account('alice' as Username)).toBeDefined();
    expect(scrubs).toBeGreaterThan(0);
    expect(new Set(t.failures.map(({ error }) => error))).toEqual(new Set([bad]));
  });

  it('is tried again a bounded number of times when the store takes nothing', async () => {
    let tries = 0;
    const t = await openChat({
      store: (store) => ({
        ...store,
        eraseNext: () => {
          tries += 1;
          return Promise.reject(new Error('the disk is full'));
        },
      }),
    });
    await settled(t);
    expect([tries, t.failures.length]).toEqual([mostFailedErasures, mostFailedErasures]);
    vi.advanceTimersByTime(60_000);
    await settled(t);
    expect(tries).toBe(2 * mostFailedErasures);
  });

  it('has the files scrubbed when it has gone, from their beginning to their end', async () => {
    const scrubs: Array<{ from: number; next: number | undefined; isGone: boolean }> = [];
    const t = await openChat({
      policy: { eraseAfterMs: 0 },
      store: (store) => ({
        ...store,
        async scrub({ from }) {
          const isGone = (await store.account('alice' as Username)) === undefined;
          const { next } = await store.scrub({ from });
          scrubs.push({ from, next, isGone });
          return { next };
        },
      }),
    });
    await register(t, 'alice');
    await settled(t);
    scrubs.length = 0;
    await erase(t, await loggedIn(t, 'alice'));
    await settled(t);
    const last = scrubs.slice(scrubs.findLastIndex(({ from }) => from === 0));
    expect(last.map(({ from, isGone }) => ({ from, isGone }))).toEqual(
      [0, ...last.slice(0, -1).map(({ next }) => next)].map((from) => ({ from, isGone: true })),
    );
    expect(last.at(-1)?.next).toBeUndefined();
  });

  it('takes the sessions with it that were opened to keep it', async () => {
    const t = await open();
    await erase(t, await loggedIn(t, 'alice'));
    vi.advanceTimersByTime(week - 1_000);
    const late = await loggedIn(t, 'alice');
    vi.advanceTimersByTime(61_000);
    await settled(t);
    expect(late.endings).toEqual(['revoked']);
  });

  it('leaves its messages’ places to their readers, and no text; what others wrote stays', async () => {
    const t = await open({ eraseAfterMs: 0 });
    const [alice, bob, carol] = [
      await loggedIn(t, 'alice'),
      await loggedIn(t, 'bob'),
      await loggedIn(t, 'carol'),
    ];
    await t.call(alice, 'room.create', { room: 'dev' });
    for (const one of [bob, carol]) await t.call(one, 'room.join', { room: 'dev' });
    await t.call(alice, 'message.send', { to: '#dev', text: 'mine', key: 'k' });
    await t.call(bob, 'message.send', { to: '#dev', text: 'his' });
    await t.call(alice, 'message.send', { to: '@bob', text: 'mine too' });
    await t.call(bob, 'message.send', { to: '@alice', text: 'his too' });
    await t.call(alice, 'message.send', { to: '#lobby', text: 'mine as well' });
    await erase(t, alice);
    await settled(t);
    const gone = { sender: 'alice', text: '[erased]', erased: true };
    expect(await texts(t, carol, '#dev')).toEqual([
      { seq: 1, ...gone },
      { seq: 2, sender: 'bob', text: 'his' },
    ]);
    expect(await texts(t, bob, '@alice')).toEqual([
      { seq: 1, ...gone },
      { seq: 2, sender: 'bob', text: 'his too' },
    ]);
    expect(await texts(t, bob, '#lobby')).toEqual([{ seq: 1, ...gone }]);
    const { members } = await t.call(carol, 'room.members', { room: 'dev' });
    expect(members.map(({ username }) => username)).toEqual(['bob', 'carol']);
    expect(await t.call(bob, 'message.send', { to: '#dev', text: 'next' })).toMatchObject({ seq: 3 });
    expect(t.failures).toEqual([]);
  });

  it('is told of in the stream as in history', async () => {
    const t = await open({ eraseAfterMs: 0 });
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'message.send', { to: '#lobby', text: 'mine' });
    await erase(t, alice);
    await settled(t);
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'conversation.follow', { to: '#lobby', after: 0 });
    await settled(t);
    expect(bob.told('message')).toMatchObject([
      { to: '#lobby', seq: 1, sender: 'alice', text: '[erased]', erased: true },
    ]);
  });

  it('leaves a name that nobody can take, and an address that anybody can', async () => {
    const stretched: string[] = [];
    const t = await openChat({
      policy: { eraseAfterMs: 0 },
      stretcher: {
        stretch({ username, password, salt, cost }) {
          stretched.push(username);
          return authSecret(username, password, salt, cost);
        },
      },
    });
    await register(t, 'bob');
    await t.call(peer(), 'account.register', {
      username: 'alice',
      email: 'a@example.org',
      password: 'correct horse',
    });
    const alice = peer();
    await t.call(alice, 'login.password', { username: 'alice', password: 'correct horse' });
    await t.call(alice, 'account.erase', { proof: { password: 'correct horse' } });
    await settled(t);
    const again = { email: 'a@example.org', password: 'another horse' };
    expect(await refusal(t.call(peer(), 'account.register', { username: 'alice', ...again }))).toEqual({
      code: 'conflict',
      message: 'this username is taken already',
      field: 'username',
    });
    // Once as the account was made, once to log in and once to prove it: nothing is stretched for a name that is gone.
    expect(stretched).toEqual(['alice', 'alice', 'alice']);
    await t.call(peer(), 'account.register', { username: 'alicia', ...again });
    const bob = await loggedIn(t, 'bob');
    const { users } = await t.call(bob, 'user.list', { all: true });
    expect(users.map(({ username }) => username)).toEqual(['alicia', 'bob']);
    expect(await refusal(t.call(bob, 'message.send', { to: '@alice', text: 'hello?' }))).toMatchObject({
      code: 'not-found',
    });
  });

  it('cannot be the last administrator', async () => {
    const t = await open({ eraseAfterMs: 0 });
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    const make = async (connection: FakePeer, code: Uint8Array) => {
      await t.store.offerClaim({ codeHash: code });
      if (!connection.session) throw new Error('nobody');
      return await t.store.claimAdministration({ codeHash: code, userId: connection.session.userId });
    };
    expect(await make(alice, new Uint8Array(32).fill(1))).toBe('claimed');
    expect(await refusal(erase(t, alice))).toEqual({
      code: 'conflict',
      message: 'nobody else administrates this server: make somebody else an administrator first',
    });
    // Before a proof is looked at, and so before one is used up.
    const wrong = { proof: { password: 'no password of hers' } };
    expect(await refusal(t.call(alice, 'account.erase', wrong))).toMatchObject({ code: 'conflict' });
    expect((await t.call(alice, 'account.me', {})).admin).toBe(true);
    await erase(t, bob, 'bob');
    await settled(t);
    expect(await refusal(login(t, peer(), 'bob'))).toEqual(badCredentials);
  });
});

describe('messages that reach their age', () => {
  it('lose their text within a day of it, and not before; readers go on over their places', async () => {
    const t = await open({ messageRetentionMs: 30 * day });
    const alice = await loggedIn(t, 'alice');
    await settled(t);
    await t.call(alice, 'message.send', { to: '#lobby', text: 'old' });
    vi.advanceTimersByTime(20 * day);
    await settled(t);
    const bob = await loggedIn(t, 'bob');
    await t.call(bob, 'message.send', { to: '#lobby', text: 'young' });
    vi.advanceTimersByTime(10 * day - 60_000);
    await settled(t);
    expect((await texts(t, await loggedIn(t, 'carol'), '#lobby')).map(({ text }) => text)).toEqual([
      'old',
      'young',
    ]);
    vi.advanceTimersByTime(day + 60_000);
    await settled(t);
    const reader = await loggedIn(t, 'carol');
    expect(await texts(t, reader, '#lobby')).toEqual([
      { seq: 1, sender: 'alice', text: '[erased]', erased: true },
      { seq: 2, sender: 'bob', text: 'young' },
    ]);
    await t.call(reader, 'conversation.follow', { to: '#lobby', after: 0 });
    expect(await t.call(reader, 'message.send', { to: '#lobby', text: 'next' })).toMatchObject({ seq: 3 });
    await settled(t);
    expect(reader.seqs('#lobby')).toEqual([1, 2, 3]);
    expect(t.failures).toEqual([]);
  });

  it('are kept for ever when nothing is said', async () => {
    const t = await open();
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'message.send', { to: '#lobby', text: 'old' });
    vi.setSystemTime(start + 36_500 * day);
    vi.advanceTimersByTime(60_000);
    await settled(t);
    expect(await texts(t, await loggedIn(t, 'bob'), '#lobby')).toMatchObject([{ text: 'old' }]);
  });
});
