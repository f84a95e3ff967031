import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '../../src/core/audit.ts';
import { type AuditLink, auditChain } from '../../src/core/audit-chain.ts';
import { createAuditWriter } from '../../src/core/audit-writer.ts';
import { createKnownPlaces } from '../../src/core/login/known-places.ts';
import type { DoorName, Session } from '../../src/core/model/session.ts';
import type { Username } from '../../src/core/model/username.ts';
import { auditWrites, refusalRows } from '../../src/core/policy.ts';
import { loggedIn, openChat, peer, refusal, register } from './support/chat.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');
const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

function entry(user: string): AuditEntry {
  return { at: start, operation: 'ping', user, door: 'line', address: '192.0.2.1', outcome: 'ok' };
}

/** A writer over a store that answers when it is told to. */
function writer() {
  const asked: Array<{
    users: Array<string | undefined>;
    entries: readonly AuditEntry[];
    answer(): void;
    fail(): void;
  }> = [];
  const told: Array<string | undefined> = [];
  const heads: number[] = [];
  const failures: unknown[] = [];
  let seq = 0;
  const made = createAuditWriter({
    chain,
    store: {
      appendAudit: ({ entries }) => {
        const { promise, resolve, reject } = Promise.withResolvers<AuditLink>();
        asked.push({
          users: entries.map(({ user }) => user),
          entries,
          answer: () => {
            seq += entries.length;
            resolve({ seq, hash: new Uint8Array(32) });
          },
          fail: () => reject(new Error('the disk is full')),
        });
        return promise;
      },
    },
    told: ({ user }) => void told.push(user),
    onHead: (head) => void heads.push(head.seq),
    onFailure: (error) => void failures.push(error),
  });
  const settled = () => vi.advanceTimersByTimeAsync(0);
  return { ...made, asked, told, heads, failures, settled };
}

describe('the writer of the audit trail', () => {
  it('tells each entry at once, and writes those of 20 ms together in their order', async () => {
    const w = writer();
    for (const user of ['a', 'b', 'c']) w.append(entry(user));
    expect(w.told).toEqual(['a', 'b', 'c']);
    vi.advanceTimersByTime(auditWrites.lingerMs - 1);
    expect(w.asked).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(w.asked.map(({ users }) => users)).toEqual([['a', 'b', 'c']]);
  });

  it('has one write under way, and what comes meanwhile goes with the next', async () => {
    const w = writer();
    w.append(entry('a'));
    vi.advanceTimersByTime(auditWrites.lingerMs);
    for (const user of ['b', 'c']) w.append(entry(user));
    vi.advanceTimersByTime(1_000);
    expect(w.asked).toHaveLength(1);
    w.asked[0]?.answer();
    await w.settled();
    vi.advanceTimersByTime(auditWrites.lingerMs);
    expect(w.asked.map(({ users }) => users)).toEqual([['a'], ['b', 'c']]);
  });

  it('tries what the store did not take again each second, in its order, and says so once', async () => {
    const w = writer();
    w.append(entry('a'));
    vi.advanceTimersByTime(auditWrites.lingerMs);
    for (let tries = 1; tries <= 3; tries++) {
      expect(w.asked).toHaveLength(tries);
      w.asked[tries - 1]?.fail();
      await w.settled();
      if (tries === 1) w.append(entry('b'));
      await vi.advanceTimersByTimeAsync(auditWrites.retryMs - 1);
      expect(w.asked).toHaveLength(tries);
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(w.asked.at(-1)?.users).toEqual(['a', 'b']);
    expect(w.failures).toEqual([new Error('the disk is full')]);
    w.asked.at(-1)?.answer();
    await w.settled();
    await w.written();
    w.append(entry('c'));
    await vi.advanceTimersByTimeAsync(auditWrites.lingerMs);
    expect(w.asked.at(-1)?.users).toEqual(['c']);
  });

  it('keeps a bounded number, and the trail says how many were left out', async () => {
    const w = writer();
    w.append(entry('first'));
    vi.advanceTimersByTime(auditWrites.lingerMs);
    for (let count = 0; count < auditWrites.maxWaiting + 6; count++) w.append(entry('more'));
    expect(w.told).toHaveLength(auditWrites.maxWaiting + 7);
    w.asked[0]?.answer();
    await w.settled();
    await vi.advanceTimersByTimeAsync(auditWrites.lingerMs);
    expect(w.asked[1]?.entries.at(-1)).toEqual({
      at: expect.any(Number),
      operation: 'audit.lost',
      user: undefined,
      door: undefined,
      address: undefined,
      outcome: 'unavailable',
      details: { count: 7 },
    });
    expect(w.asked[1]?.entries).toHaveLength(auditWrites.atOnce + 1);
  });

  it('keeps room that refused strangers do not get', async () => {
    const w = writer();
    const { maxStrangersWaiting: forStrangers, maxWaiting } = auditWrites;
    const refused: AuditEntry = { ...entry('eve'), outcome: 'unauthenticated' };
    for (let count = 0; count < forStrangers + 5; count++) w.append(refused);
    w.append(entry('alice'));
    w.append({ ...entry('alice'), outcome: 'not-found', details: { session: 's' } });
    for (let count = forStrangers + 2; count < maxWaiting; count++) w.append(entry('bob'));
    w.append(entry('too late'));
    const closed = w.close();
    await w.settled();
    for (let batch = 0; batch * auditWrites.atOnce < maxWaiting; batch++) {
      w.asked[batch]?.answer();
      await w.settled();
    }
    await closed;
    const users = w.asked.flatMap((one) => one.users).filter((user) => user !== undefined);
    const count = (name: string) => users.filter((user) => user === name).length;
    expect([count('eve'), count('alice'), count('bob'), count('too late')]).toEqual([
      forStrangers,
      2,
      maxWaiting - forStrangers - 2,
      0,
    ]);
    const lost = w.asked.flatMap(({ entries }) => entries).filter((one) => one.operation === 'audit.lost');
    expect(lost.map(({ details }) => details)).toEqual([{ count: 6 }]);
  });

  it('makes whoever asks for what is stored wait for what came before, not for what comes after', async () => {
    const w = writer();
    w.append(entry('a'));
    let isWritten = false;
    const written = w.written().then(() => {
      isWritten = true;
    });
    await w.settled();
    for (let count = 0; count < auditWrites.atOnce; count++) w.append(entry('later'));
    expect(isWritten).toBe(false);
    w.asked[0]?.answer();
    await w.settled();
    expect(isWritten).toBe(true);
    await written;
  });

  it('writes everything before it closes, what comes meanwhile too, and takes nothing after that', async () => {
    const w = writer();
    w.append(entry('a'));
    const closed = w.close();
    await w.settled();
    w.append(entry('b'));
    w.asked[0]?.answer();
    await w.settled();
    w.asked[1]?.answer();
    await closed;
    expect(w.asked.map(({ users }) => users)).toEqual([['a'], ['b']]);
    expect(w.heads).toEqual([1, 2]);
    w.append(entry('c'));
    vi.advanceTimersByTime(10_000);
    expect(w.told).toEqual(['a', 'b', 'c']);
    expect(w.asked).toHaveLength(2);
  });

  it('closes also when the store takes nothing', async () => {
    const w = writer();
    w.append(entry('a'));
    const closed = w.close();
    await w.settled();
    w.asked[0]?.fail();
    await closed;
  });

  it('tells where the trail ends once a minute, not more often', async () => {
    const w = writer();
    const write = async (user: string) => {
      w.append(entry(user));
      await vi.advanceTimersByTimeAsync(auditWrites.lingerMs);
      w.asked.at(-1)?.answer();
      await w.settled();
    };
    await write('a');
    await write('b');
    expect(w.heads).toEqual([1]);
    await vi.advanceTimersByTimeAsync(auditWrites.headMs);
    await write('c');
    expect(w.heads).toEqual([1, 3]);
  });
});

describe('the places of sessions', () => {
  it('are remembered to a number, and the one that was not used for longest is forgotten', () => {
    const session = { id: 's', door: 'line', address: '192.0.2.1' } as Session;
    const places = createKnownPlaces(2);
    const isNew = (address: string) => places.isNew(session, { door: 'line', address });
    expect(['192.0.2.2', '192.0.2.3', '192.0.2.2'].map(isNew)).toEqual([true, true, false]);
    expect(['192.0.2.4', '192.0.2.2', '192.0.2.3'].map(isNew)).toEqual([true, false, true]);
  });
});

describe('the audit trail', () => {
  const shown = ({ user, address, operation, outcome, details }: AuditEntry) =>
    [user ?? '-', address ?? '-', operation, outcome, JSON.stringify(details ?? {})].join(' ');
  const minute = refusalRows.windowMs;

  it('has two rows for a flood of refusals: the first, and how many followed it within the minute', async () => {
    const t = await openChat({ policy: { registrationsPerHour: 1 } });
    const flood = async (address: string, times: number) => {
      for (let one = 0; one < times; one++) {
        const nobody = { username: `u${one}`, password: '' };
        await refusal(t.send(peer({ address }), 'account.register', nobody));
      }
    };
    await flood('192.0.2.7', 3);
    await flood('2001:db8::1', 1);
    await flood('2001:db8::2', 1);
    vi.advanceTimersByTime(minute - 1);
    const first = [
      'u0 192.0.2.7 account.register invalid {}',
      'u1 192.0.2.7 account.register rate-limited {}',
      'u0 2001:db8::1 account.register invalid {}',
      'u0 2001:db8::2 account.register rate-limited {}',
    ];
    expect(t.audit.map(shown)).toEqual(first);
    vi.advanceTimersByTime(1);
    const counted = '- 192.0.2.7 account.register rate-limited {"count":1}';
    expect(t.audit.map(shown)).toEqual([...first, counted]);
    t.audit.length = 0;
    await flood('192.0.2.7', 2);
    t.chat.stop();
    expect(t.audit.map(shown)).toEqual([first[1]?.replace('u1', 'u0'), counted]);
  });

  it.each([
    ['a proof of no exchange', 'login.finish', { exchange: 'x', message: 'x' }],
    ['a token that nobody has', 'login.resume', { session_token: 'x', username: 'alice' }],
    ['a code that nobody has waited for', 'login.second-factor', { otp: '123456' }],
    ['an e-mail address that nobody has', 'login.password', { email: 'x@example.com', password: 'wrong!' }],
  ])('counts %s with its like', async (_what, operation, params) => {
    const t = await openChat();
    for (let one = 0; one < 3; one++) await refusal(t.send(peer(), operation, params));
    vi.advanceTimersByTime(minute);
    expect(t.audit.map(({ outcome, details }) => [outcome, details])).toEqual([
      ['unauthenticated', undefined],
      ['unauthenticated', { count: 2 }],
    ]);
  });

  it('has a row for each login, and each fresh proof, that has failed', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    t.audit.length = 0;
    for (const [username, secret] of [
      ['alice', 'wrong!'],
      ['alice', 'wrong again!'],
      ['nobody', 'wrong!'],
    ] as const) {
      await refusal(t.call(peer(), 'login.password', { username, password: secret }));
    }
    for (let one = 0; one < 2; one++) {
      await refusal(t.call(alice, 'account.totp-begin', { proof: { password: 'wrong!' } }));
    }
    expect(t.audit.map(({ user, operation, outcome }) => [user, operation, outcome])).toEqual([
      ['alice', 'login.password', 'unauthenticated'],
      ['alice', 'login.password', 'unauthenticated'],
      ['nobody', 'login.password', 'unauthenticated'],
      ['alice', 'account.totp-begin', 'unauthenticated'],
      ['alice', 'account.totp-begin', 'unauthenticated'],
    ]);
  });

  it('counts what an account is refused by the account, wherever it comes from', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const alice = await loggedIn(t, 'alice');
    const phone = await loggedIn(t, 'alice', { address: '198.51.100.1' });
    const bob = await loggedIn(t, 'bob');
    t.audit.length = 0;
    for (const connection of [alice, phone, bob, phone]) {
      await refusal(t.call(connection, 'room.join', { room: 'nowhere' }));
    }
    vi.advanceTimersByTime(minute);
    expect(t.audit.map(({ user, address, details }) => [user, address, details?.count])).toEqual([
      ['alice', '192.0.2.1', undefined],
      ['bob', '192.0.2.1', undefined],
      ['alice', '198.51.100.1', 2],
    ]);
  });

  it('has one row for all addresses beyond a number of them', async () => {
    const t = await openChat();
    const from = async (one: number) => {
      const address = `2001:db8:0:${one.toString(16)}::1`;
      await refusal(t.call(peer({ address }), 'login.resume', { session_token: 'x' }));
    };
    for (let one = 0; one < refusalRows.strangers + 3; one++) await from(one);
    await from(0);
    expect(t.audit).toHaveLength(refusalRows.strangers);
    vi.advanceTimersByTime(minute);
    expect(t.audit.slice(refusalRows.strangers).map(shown)).toEqual([
      '- 2001:db8:0:0::1 login.resume unauthenticated {"count":1}',
      '- - login.resume unauthenticated {"count":3}',
    ]);
  });

  it('has in its table what was told to the log, in that order', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob');
    const device = { id: undefined, label: 'laptop' };
    const first = await loggedIn(t, 'alice', { device: { label: device.label } });
    const again = await loggedIn(t, 'alice', { device: { id: first.opened.device_id } });
    await refusal(t.call(peer(), 'login.resume', { session_token: 'x' }));
    await t.call(again, 'room.create', { room: 'tea' });
    await t.chat.closeTrail();
    const { rows } = await t.store.auditPage({ limit: 1_000 });
    expect(
      rows.map(({ seq, hash: _hash, details, ...row }) => ({
        ...row,
        details: details && JSON.parse(details),
      })),
    ).toEqual(
      t.audit.map(({ user = null, door = null, address = null, factor = null, details = null, ...row }) => ({
        ...row,
        user,
        door,
        address,
        factor,
        details,
      })),
    );
    expect(t.audit.map(({ operation }) => operation)).toEqual([
      'account.register',
      'account.register',
      'login.finish',
      'session.ended',
      'login.finish',
      'login.resume',
      'room.create',
    ]);
  });

  it('says how a login was proven, of which session it was, and what a call was about', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const { session_id: session } = alice.opened;
    await t.call(alice, 'room.create', { room: 'tea' });
    expect(
      t.audit.slice(1).map(({ operation, factor, details }) => ({ operation, factor, details })),
    ).toEqual([
      { operation: 'login.finish', factor: 'challenge-response', details: { session } },
      { operation: 'room.create', factor: undefined, details: { session, room: 'tea' } },
    ]);
  });

  it('has a token at a door or an address that its session was not at, and not each connection from there', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const { opened } = await loggedIn(t, 'alice', { address: '2001:db8::1' });
    const { session_id: session, session_token } = opened;
    const resume = (door: DoorName, address: string, token: string = session_token) =>
      t.call(peer({ door, address }), 'login.resume', { session_token: token });
    for (let round = 0; round < 3; round++) {
      await resume('line', '2001:db8::1');
      await resume('line', '2001:db8::2');
      await resume('pipe', '2001:db8::1');
      await resume('line', '192.0.2.9');
    }
    await refusal(resume('line', '2001:db8::1', 'x'));
    const places = t.audit.filter(({ operation }) => operation === 'login.resume');
    const details = { session };
    expect(places.map(({ at: _at, operation: _operation, ...row }) => row)).toEqual([
      { user: 'alice', door: 'pipe', address: '2001:db8::1', factor: 'token', outcome: 'ok', details },
      { user: 'alice', door: 'line', address: '192.0.2.9', factor: 'token', outcome: 'ok', details },
      {
        user: undefined,
        door: 'line',
        address: '2001:db8::1',
        factor: 'token',
        outcome: 'unauthenticated',
      },
    ]);
  });

  it('has a token that is dead, or somebody else’s', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const { session_token } = alice.opened;
    const tried = (address: string, username?: string) =>
      refusal(t.call(peer({ address }), 'login.resume', { session_token, username }));
    await tried('192.0.2.1', 'bob');
    await t.call(alice, 'session.end', {});
    await tried('192.0.2.2');
    expect(
      t.audit
        .filter(({ operation }) => operation === 'login.resume')
        .map(({ user, outcome }) => [user, outcome]),
    ).toEqual([
      ['bob', 'unauthenticated'],
      [undefined, 'unauthenticated'],
    ]);
  });

  it.each(['replaced', 'revoked', 'expired'] as const)(
    'says that a session was %s, and whose it was',
    async (reason) => {
      const t = await openChat({ policy: { sessionIdleMs: 60_000 } });
      await register(t, 'alice');
      const ending = await loggedIn(t, 'alice', { address: '192.0.2.7', device: { label: 'laptop' } });
      const { session_id: session, device_id } = ending.opened;
      if (reason === 'replaced') await loggedIn(t, 'alice', { device: { id: device_id } });
      if (reason === 'revoked') {
        await t.call(await loggedIn(t, 'alice'), 'session.revoke', { id: session });
      }
      if (reason === 'expired') vi.advanceTimersByTime(60_000);
      expect(ending.endings).toEqual([reason]);
      expect(t.audit.filter(({ operation }) => operation === 'session.ended')).toEqual([
        {
          at: Date.now(),
          operation: 'session.ended',
          user: 'alice',
          door: 'line',
          address: '192.0.2.7',
          outcome: 'ok',
          details: { session, reason },
        },
      ]);
    },
  );

  it('has a row of each login, and of each change of an account, a key, a session or a permission', async () => {
    const t = await openChat();
    await register(t, 'alice');
    await t.store.setAdministrator({ username: 'alice' as Username, isAdmin: true });
    const names = [
      ...['login.finish', 'login.password', 'login.hashed-password', 'login.second-factor', 'login.resume'],
      ...[
        'session.refresh',
        'session.revoke',
        'session.rename',
        'account.register',
        'account.raise-verifier',
      ],
      ...['account.change-password', 'account.reset-password', 'account.set-email', 'account.verify-email'],
      ...['account.totp-begin', 'account.totp-confirm', 'account.totp-off', 'account.recovery-codes'],
      ...['account.erase', 'account.cancel-erase', 'account.accept-terms', 'account.request-reset'],
      ...['admin.claim', 'admin.set-administrator', 'admin.disable', 'admin.enable', 'admin.reset'],
      ...['admin.take-second-factor', 'admin.create-invite', 'admin.revoke-invite', 'session.end'],
    ];
    const alice = await loggedIn(t, 'alice');
    t.audit.length = 0;
    // Most are refused for what they lack, which is a row like any other.
    for (const name of names) await t.send(alice, name, {}).catch(() => {});
    const audited = t.audit.map(({ operation }) => operation);
    expect(names.filter((name) => !audited.includes(name))).toEqual([]);
  });

  it('is for administrators', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    expect(await refusal(t.call(alice, 'admin.audit', {}))).toMatchObject({ code: 'forbidden' });
    expect(await refusal(t.call(peer(), 'admin.audit', {}))).toMatchObject({ code: 'unauthenticated' });
  });

  it('is cut after its time, every hour', async () => {
    const cuts: number[] = [];
    const t = await openChat({
      policy: { auditRetentionMs: 86_400_000 },
      store: (store) => ({
        ...store,
        cutAudit: async ({ before }) => {
          cuts.push(before - start);
          return 0;
        },
      }),
    });
    vi.advanceTimersByTime(3_600_000);
    await t.quiet();
    expect(cuts).toEqual([3_600_000 - 86_400_000]);
  });
});
