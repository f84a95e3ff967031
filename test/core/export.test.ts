import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { newSecretKeys } from '../../src/core/e2ee/account-keys.ts';
import { noRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { ownSections } from '../../src/core/own-sections.ts';
import { openExports } from '../../src/core/policy.ts';
import {
  type FakePeer,
  loggedIn,
  openChat,
  password,
  peer,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';
import { mailbox } from './support/mailbox.ts';

/** Every page of a section. */
async function pages(t: TestChat, connection: FakePeer, section: (typeof ownSections)[number], limit = 100) {
  const rows: Array<Record<string, unknown>> = [];
  let after: string | null = null;
  let count = 0;
  do {
    const page: { rows: Array<Record<string, unknown>>; next: string | null } = await t.call(
      connection,
      'account.export',
      { section, limit, ...(after === null ? {} : { after }) },
    );
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    rows.push(...page.rows);
    after = page.next;
    count += 1;
  } while (after !== null);
  return { rows, count };
}

describe('an export', () => {
  it('has all own data and nobody else’s, and no secret', async () => {
    const t = await openChat();
    await t.call(peer(), 'account.register', {
      username: 'alice',
      email: 'a@example.org',
      password: 'correct horse',
    });
    await register(t, 'bob', 'carol');
    const alice = peer({ address: '192.0.2.9' });
    await t.call(alice, 'login.password', {
      username: 'alice',
      password: 'correct horse',
      device: { label: 'her laptop' },
    });
    const [bob, carol] = [
      await loggedIn(t, 'bob', { device: { label: 'his phone' } }),
      await loggedIn(t, 'carol'),
    ];
    for (const one of [bob, carol]) await t.call(one, 'message.send', { to: '#lobby', text: 'not hers' });
    await t.call(alice, 'room.create', { room: 'left' });
    await t.call(alice, 'message.send', { to: '#left', text: 'hers in a room she left' });
    await t.call(alice, 'room.leave', { room: 'left' });
    await t.call(alice, 'message.send', { to: '#lobby', text: 'hers' });
    await t.call(alice, 'message.send', { to: '@bob', text: 'hers to him' });
    await t.call(bob, 'message.send', { to: '@alice', text: 'not hers, to her' });
    await t.call(bob, 'message.send', { to: '@carol', text: 'not hers, to carol' });
    const record = signKeyRecord(
      {
        realm: 'chat.example',
        user: parseUsername('alice'),
        seq: 1,
        previous: noRecord(),
        epoch: 1,
        at: 1,
      },
      newSecretKeys(),
    );
    const backup = { contents: 'c2VhbGVk', recovery_wrap: 'd3JhcHBlZA', version: 0 };
    await t.call(alice, 'keys.publish', { record: record.text, backup });
    const all: Record<string, unknown[]> = {};
    for (const section of ownSections) all[section] = (await pages(t, alice, section)).rows;
    expect(all.account).toMatchObject([
      { username: 'alice', email: 'a@example.org', privacy: 'open', admin: false, erases_at: null },
    ]);
    expect(all.keys).toEqual([{ seq: 1, record: record.text, published_at: expect.any(String) }]);
    expect(all.devices).toMatchObject([{ label: 'her laptop' }]);
    expect(all.sessions).toMatchObject([{ device: 'her laptop', address: '192.0.2.9', current: true }]);
    expect(all.conversations).toEqual([
      { to: '#lobby', last_seq: 3, read_seq: 0 },
      { to: '@bob', last_seq: 2, read_seq: 0 },
    ]);
    expect(all.messages).toMatchObject([
      { to: '#left', seq: 1, text: 'hers in a room she left' },
      { to: '#lobby', seq: 3, text: 'hers' },
      { to: '@bob', seq: 1, text: 'hers to him' },
    ]);
    expect(all.audit).not.toHaveLength(0);
    const text = JSON.stringify(all);
    for (const foreign of ['not hers', 'his phone', 'carol']) expect(text).not.toContain(foreign);
    for (const secret of [
      'c2VhbGVk',
      'd3JhcHBlZA',
      'cs1_',
      'cr1_',
      'stored_key',
      'token_hash',
      'salt',
      'correct horse',
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it('has addresses of the owner alone: none of who failed, or has only named the account', async () => {
    const t = await openChat({ mail: mailbox().mail });
    const home = { address: '192.0.2.9' };
    const abroad = { address: '198.51.100.7' };
    await t.call(peer(home), 'account.register', { username: 'alice', password: 'correct horse' });
    await register(t, 'bob');
    const mallory = peer(abroad);
    await t.call(mallory, 'account.request-reset', { username: 'alice' });
    await refusal(t.call(mallory, 'login.password', { username: 'alice', password: 'wrong horse' }));
    await t.call(await loggedIn(t, 'bob', abroad), 'account.request-reset', {
      username: 'alice',
    });
    const alice = peer(home);
    const { session_id: id } = await t.call(alice, 'login.password', {
      username: 'alice',
      password: 'correct horse',
    });
    await t.call(alice, 'session.rename', { id, device: 'hers' });
    await t.chat.closeTrail();
    const { rows } = await pages(t, alice, 'audit');
    expect(rows.map(({ operation, address }) => [operation, address]).slice(0, 5)).toEqual([
      ['account.register', home.address],
      ['account.request-reset', null],
      ['login.password', null],
      ['login.password', home.address],
      ['session.rename', home.address],
    ]);
    expect(JSON.stringify(rows)).not.toContain(abroad.address);
  });

  it('has neither address nor session of a stranger who has brought a code for the password', async () => {
    const box = mailbox();
    const t = await openChat({ mail: box.mail });
    const email = 'a@example.org';
    await t.call(peer({ address: '192.0.2.9' }), 'account.register', { username: 'alice', email, password });
    await register(t, 'bob');
    const alice = await loggedIn(t, 'alice', { address: '192.0.2.10' });
    await t.call(alice, 'account.request-email-verification', {});
    await t.call(alice, 'account.verify-email', { code: box.code() });
    box.mails.length = 0;
    await t.call(peer({ address: '198.51.100.1' }), 'account.request-reset', { username: 'alice' });
    for (let round = 0; box.mails.length === 0 && round < 20; round++) await t.quiet();
    const stranger = await loggedIn(t, 'bob', { address: '198.51.100.2' });
    await t.call(stranger, 'account.reset-password', { code: box.code(), password: 'a new horse battery' });
    await refusal(
      t.call(peer({ address: '198.51.100.3' }), 'login.password', { username: 'alice', password: 'guess!' }),
    );
    const again = peer({ address: '192.0.2.11' });
    await t.call(again, 'login.password', { username: 'alice', password: 'a new horse battery' });
    await t.chat.closeTrail();
    const { rows } = await pages(t, again, 'audit');
    expect(rows.map(({ operation, outcome, address }) => [operation, outcome, address])).toEqual([
      ['account.register', 'ok', '192.0.2.9'],
      ['login.finish', 'ok', '192.0.2.10'],
      ['account.request-email-verification', 'ok', '192.0.2.10'],
      ['account.verify-email', 'ok', '192.0.2.10'],
      ['account.request-reset', 'ok', null],
      ['session.ended', 'ok', '192.0.2.10'],
      ['account.reset-password', 'ok', null],
      ['login.password', 'unauthenticated', null],
      ['login.password', 'ok', '192.0.2.11'],
    ]);
    expect(JSON.stringify(rows)).not.toContain(stranger.session?.id);
  });

  it('is read in pages that come to an end, each message once and in order', async () => {
    const t = await openChat({ policy: { messagesPerSecond: 0, joinsPerMinute: 0 } });
    await register(t, 'alice', 'bob');
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    await t.call(alice, 'room.create', { room: 'a' });
    await t.call(alice, 'room.create', { room: 'a-b' });
    await t.call(bob, 'room.join', { room: 'a' });
    const sent: string[] = [];
    for (const to of ['#a', '#a-b', '#lobby', '@alice', '@bob']) {
      for (let one = 0; one < 7; one++) {
        const { seq } = await t.call(alice, 'message.send', { to, text: 'x' });
        sent.push(`${to} ${seq}`);
        if (to === '#a' || to === '#lobby') await t.call(bob, 'message.send', { to, text: 'y' });
      }
    }
    for (const limit of [1, 2, 7, 35, 36, 100]) {
      const { rows, count } = await pages(t, alice, 'messages', limit);
      expect(rows.map(({ to, seq }) => `${to} ${seq}`)).toEqual(sent);
      expect(count).toBeLessThanOrEqual(Math.ceil(35 / limit) + 1);
    }
    expect((await pages(t, alice, 'audit', 1)).rows).toEqual((await pages(t, alice, 'audit')).rows);
  });

  it('counts once against the limit, however many pages it has', async () => {
    const t = await openChat({ policy: { exportsPerHour: 2 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    for (let one = 0; one < 2; one++) {
      for (const section of ownSections) await pages(t, alice, section, 1);
    }
    expect(await refusal(t.call(alice, 'account.export', {}))).toMatchObject({ code: 'rate-limited' });
    const told = t.audit.filter(({ operation }) => operation === 'account.export');
    expect(told.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'rate-limited']);
  });

  it('counts and is told also when it does not begin with the first section, or goes back', async () => {
    const t = await openChat({ policy: { exportsPerHour: 3 } });
    await register(t, 'alice', 'bob');
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    for (let one = 0; one < 3; one++) await t.call(alice, 'message.send', { to: '#lobby', text: 'x' });
    const page = (connection: FakePeer, after?: string) =>
      t.call(connection, 'account.export', { section: 'messages', limit: 1, ...(after && { after }) });
    const told = () => t.audit.filter(({ operation }) => operation === 'account.export');
    await page(alice);
    await page(alice, '#lobby 1');
    expect(told()).toHaveLength(1);
    await page(alice, '#lobby 1');
    await page(alice);
    expect(told().map(({ user, outcome, details }) => [user, outcome, details])).toEqual(
      Array(3).fill(['alice', 'ok', { session: alice.session?.id }]),
    );
    const tooMany = { code: 'rate-limited', message: 'too many exports: wait before the next one' };
    for (const after of [undefined, '#lobby 3', '#a 0']) {
      expect(await refusal(page(alice, after))).toMatchObject(tooMany);
    }
    // What is under way comes to its end, also at another connection.
    const phone = await loggedIn(t, 'alice');
    await page(phone, '#lobby 2');
    await t.call(phone, 'account.export', { section: 'audit' });
    await page(bob);
  });

  it('counts each of many that ask for the same page at once', async () => {
    const t = await openChat({ policy: { exportsPerHour: 2 } });
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    await t.call(alice, 'account.export', {});
    const asked = Array.from({ length: 5 }, () => t.call(alice, 'account.export', { section: 'sessions' }));
    const answers = await Promise.allSettled(asked);
    // One goes on with the first, one begins the second.
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  it('is over when no page was asked for in a while', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const t = await openChat();
    await register(t, 'alice');
    const alice = await loggedIn(t, 'alice');
    const told = () => t.audit.filter(({ operation }) => operation === 'account.export').length;
    await t.call(alice, 'account.export', {});
    vi.setSystemTime(Date.now() + openExports.idleMs - 1);
    await t.call(alice, 'account.export', { section: 'consents' });
    expect(told()).toBe(1);
    vi.setSystemTime(Date.now() + openExports.idleMs);
    await t.call(alice, 'account.export', { section: 'devices' });
    expect(told()).toBe(2);
  });

  it.each(['#lobby', '#lobby -1', '#lobby 1 1', 'lobby x', '#no such 1', '', '@bob 1e3'])(
    'refuses a place that it has not given: %j',
    async (after) => {
      const t = await openChat();
      await register(t, 'alice');
      const alice = await loggedIn(t, 'alice');
      expect(await refusal(t.call(alice, 'account.export', { section: 'messages', after }))).toMatchObject({
        code: 'invalid',
      });
    },
  );

  it('answers a place that was made up with nothing of anybody else', async () => {
    const t = await openChat();
    await register(t, 'alice', 'bob', 'carol');
    const [alice, bob] = [await loggedIn(t, 'alice'), await loggedIn(t, 'bob')];
    await t.call(bob, 'message.send', { to: '@carol', text: 'secret' });
    for (const after of ['@carol 0', '@nobody 0', '#none 0', '#zzz 9']) {
      const page = await t.call(alice, 'account.export', { section: 'messages', after });
      expect(page).toMatchObject({ rows: [], next: null });
    }
  });
});
