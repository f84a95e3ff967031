import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stepMs, totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { fakeVerifier } from '../../src/core/crypto/verifier.ts';
import type { ShownCertificate } from '../../src/core/model/certificate.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { certificateMs, freshLoginMs } from '../../src/core/policy.ts';
import { showing, shown, TestKey, testAuthority } from './support/certificates.ts';
import {
  badCredentials,
  challenged,
  FakePeer,
  loggedIn,
  login,
  type OpenChatParts,
  openChat,
  password,
  refusal,
  register,
  type TestChat,
} from './support/chat.ts';
import { secretOf } from './support/second-factor.ts';

const dayMs = 86_400_000;
const start = Date.parse('2026-11-21T12:00:00.000Z');

/** The one refusal of every login by certificate. */
const badCertificate = {
  code: 'unauthenticated',
  message: 'this connection has shown no certificate that logs in to this account',
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

async function openWithAuthority(parts: OpenChatParts = {}): Promise<TestChat> {
  return await openChat({ authority: await testAuthority(), ...parts });
}

/** Makes an account that has a certificate of ours alone; answers its key and the certificate's id. */
async function registerKey(t: TestChat, username: string): Promise<{ key: TestKey; id: string }> {
  const key = new TestKey();
  const made = await t.call(new FakePeer(), 'account.register', {
    username,
    certificate_request: await key.request(username),
  });
  return { key, id: made.certificate?.id ?? '' };
}

/** A connection that has shown the certificate that this server has signed for `username` over `key`. */
const ours = (username: string, key: TestKey, other: Partial<ShownCertificate> = {}): FakePeer =>
  showing(shown(key, { issuedTo: username, ...other }));

const lastAudit = (t: TestChat, operation: string) =>
  t.audit.filter((entry) => entry.operation === operation).at(-1);

describe('login.certificate', () => {
  it('opens a session for the certificate that the connection has shown, and stands in the audit trail', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    const peer = ours('alice', key);
    const opened = await t.call(peer, 'login.certificate', { username: 'alice' });
    expect(opened).toMatchObject({ username: 'alice', session_token: expect.stringMatching(/^cs1_/) });
    expect(await t.call(peer, 'account.me', {})).toMatchObject({ privacy: 'certificate' });
    expect(lastAudit(t, 'login.certificate')).toMatchObject({
      user: 'alice',
      factor: 'certificate',
      outcome: 'ok',
      details: { certificate: id, session: opened.session_id },
    });
    expect(await t.call(peer, 'certificate.list', {})).toMatchObject({
      certificates: [{ id, kind: 'issued', current: true, last_used_at: new Date(start).toISOString() }],
    });
    expect(await t.call(peer, 'session.list', {})).toMatchObject({
      sessions: [{ id: opened.session_id, certificate: id }],
    });
  });

  const faults: Array<[fault: string, make: (key: TestKey) => FakePeer]> = [
    ['none-shown', () => new FakePeer()],
    ['unknown-key', () => ours('alice', new TestKey())],
    // Whoever has the key may sign one for himself.
    ['unknown-authority', (key) => showing(shown(key))],
    ['expired', (key) => ours('alice', key, { notAfter: start - 1 })],
    ['not-yet-valid', (key) => ours('alice', key, { notBefore: start + 1 })],
    ['wrong-use', (key) => ours('alice', key, { isForClients: false })],
    ['weak-key', (key) => ours('alice', key, { isStrong: false })],
    ['wrong-user', (key) => ours('bob', key)],
  ];

  it.each(faults)('refuses with the one text, and tells the trail alone: %s', async (fault, make) => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    const peer = make(key);
    expect(await refusal(t.call(peer, 'login.certificate', { username: 'alice' }))).toEqual(badCertificate);
    expect(peer.session).toBeUndefined();
    expect(lastAudit(t, 'login.certificate')).toMatchObject({
      user: 'alice',
      outcome: 'unauthenticated',
      details: { fault },
    });
  });

  it('takes a certificate in the first and in the last millisecond of its time', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    for (const edge of [{ notAfter: start }, { notBefore: start }]) {
      const opened = t.call(ours('alice', key, edge), 'login.certificate', { username: 'alice' });
      expect(await opened).toMatchObject({ username: 'alice' });
    }
  });

  it('refuses the certificate of another account, and a name that nobody has, with the same text', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    await registerKey(t, 'bob');
    for (const username of ['bob', 'nobody']) {
      const peer = ours('alice', key);
      expect(await refusal(t.call(peer, 'login.certificate', { username }))).toEqual(badCertificate);
      expect(lastAudit(t, 'login.certificate')).toMatchObject({ details: { fault: 'wrong-user' } });
    }
  });

  it('refuses a revoked one with the same text', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    const peer = ours('alice', key);
    await t.call(peer, 'login.certificate', { username: 'alice' });
    await t.call(peer, 'certificate.revoke', { id });
    expect(await refusal(t.call(ours('alice', key), 'login.certificate', { username: 'alice' }))).toEqual(
      badCertificate,
    );
    expect(lastAudit(t, 'login.certificate')).toMatchObject({ details: { fault: 'revoked' } });
  });

  it('refuses one that is revoked between its judgement and the session', async () => {
    let revoke: (() => Promise<unknown>) | undefined;
    const t = await openWithAuthority({
      store: (store) => ({
        ...store,
        async credential(username) {
          await revoke?.();
          return await store.credential(username);
        },
      }),
    });
    const { key, id } = await registerKey(t, 'alice');
    const userId = (await t.store.account(parseUsername('alice')))?.id;
    revoke = () => t.store.revokeCertificate({ id: id as never, userId: userId as never, now: start });
    const peer = ours('alice', key);
    expect(await refusal(t.call(peer, 'login.certificate', { username: 'alice' }))).toEqual(badCertificate);
    expect(peer.session).toBeUndefined();
  });

  it('counts as any other login: who fails too often waits, and a right one does not', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    for (let failure = 0; failure < 5; failure++) {
      const guess = t.call(new FakePeer(), 'login.certificate', { username: 'alice' });
      expect(await refusal(guess)).toEqual(badCertificate);
    }
    expect(
      await refusal(t.call(ours('alice', key), 'login.certificate', { username: 'alice' })),
    ).toMatchObject({
      code: 'rate-limited',
    });
    const elsewhere = showing(shown(key, { issuedTo: 'alice' }), { address: '198.51.100.7' });
    expect(await t.call(elsewhere, 'login.certificate', { username: 'alice' })).toMatchObject({
      username: 'alice',
    });
  });

  it('asks for the second factor, in the same call or after it', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    const first = ours('alice', key);
    await t.call(first, 'login.certificate', { username: 'alice' });
    const begun = await t.call(first, 'account.totp-begin', { proof: { certificate: true } });
    const secret = secretOf(begun.secret);
    const codeAt = (steps: number) => totpCode(secret, totpStep(Date.now() + steps * stepMs));
    await t.call(first, 'account.totp-confirm', { code: codeAt(-1) });

    const peer = ours('alice', key);
    expect(await refusal(t.call(peer, 'login.certificate', { username: 'alice' }))).toMatchObject({
      code: 'second-factor-required',
    });
    expect(peer.session).toBeUndefined();
    await t.call(peer, 'login.second-factor', { otp: codeAt(0) });
    expect(peer.session?.username).toBe('alice');
    const other = ours('alice', key);
    await t.call(other, 'login.certificate', { username: 'alice', otp: codeAt(1) });
    expect(lastAudit(t, 'login.certificate')).toMatchObject({ factor: 'certificate+totp' });
  });

  it('is closed to a disabled account, whose owner hears why', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    await register(t, 'root');
    await t.store.setAdministrator({ username: parseUsername('root'), isAdmin: true });
    await t.call(await loggedIn(t, 'root'), 'admin.disable', { username: 'alice' });
    expect(await refusal(t.call(ours('alice', key), 'login.certificate', { username: 'alice' }))).toEqual({
      code: 'forbidden',
      message: 'this account is disabled: ask an administrator',
    });
  });
});

describe('an account with a certificate alone', () => {
  it('is challenged like a name that nobody has, before and after, also when the cost has risen', async () => {
    const t = await openWithAuthority();
    const username = 'alice';
    const before = await t.call(new FakePeer(), 'login.salt', { username });
    const { key } = await registerKey(t, username);
    expect(await t.call(new FakePeer(), 'login.salt', { username })).toEqual(before);
    expect(await refusal(t.call(new FakePeer(), 'login.password', { username, password }))).toMatchObject({
      code: 'unauthenticated',
    });
    expect(await refusal(login(t, new FakePeer(), username))).toEqual(badCredentials);

    const dearer = await openChat({ beside: t, policy: { bcryptCost: 11 } });
    const strangers = await dearer.call(new FakePeer(), 'login.salt', { username: 'nobody' });
    await dearer.call(ours(username, key), 'login.certificate', { username });
    const { serverSecret } = await t.store.settings({ realm: '', serverSecret: new Uint8Array() });
    const { salt } = fakeVerifier(serverSecret, parseUsername(username), 11);
    expect(await dearer.call(new FakePeer(), 'login.salt', { username })).toEqual({
      ...strangers,
      salt: Buffer.from(salt).toString('base64'),
    });
  });

  it('gets a password with the certificate as its proof, and keeps the certificate', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    const peer = ours('alice', key);
    await t.call(peer, 'login.certificate', { username: 'alice' });
    const change = { password: 'some words of alice' };
    expect(
      await t.call(peer, 'account.change-password', { proof: { certificate: true }, ...change }),
    ).toMatchObject({ privacy: 'open' });
    const byPassword = t.call(new FakePeer(), 'login.password', { username: 'alice', ...change });
    expect(await byPassword).toMatchObject({ username: 'alice' });
    const byCertificate = t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
    expect(await byCertificate).toMatchObject({ username: 'alice' });
  });

  it('proves nothing with a session alone: a connection that shows no certificate is refused', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    const opened = await t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
    const stolen = new FakePeer();
    await t.call(stolen, 'login.resume', { session_token: opened.session_token });
    const change = { proof: { certificate: true as const }, password: 'words of a thief' };
    expect(await refusal(t.call(stolen, 'account.change-password', change))).toEqual(badCertificate);
  });

  it('proves nothing with a certificate that was revoked meanwhile', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const key = new TestKey();
    const first = await loggedIn(t, 'alice');
    const request = await key.request();
    const { id } = await t.call(first, 'certificate.issue', { request, proof: { login: true } });
    const peer = ours('alice', key);
    await login(t, peer, 'alice');
    await t.call(first, 'certificate.revoke', { id });
    expect(peer.session?.username).toBe('alice');
    const change = { proof: { certificate: true as const }, password: 'words of a thief' };
    expect(await refusal(t.call(peer, 'account.change-password', change))).toEqual(badCertificate);
  });

  it('gets its certificate once more when it registers again with the same key, and no session for it', async () => {
    const t = await openWithAuthority();
    const key = new TestKey();
    const registration = { username: 'alice', certificate_request: await key.request() };
    const first = await t.call(new FakePeer(), 'account.register', registration);
    const peer = new FakePeer();
    const again = await t.call(peer, 'account.register', { ...registration, open_session: true });
    expect(again).toMatchObject({ user_id: first.user_id, certificate: { id: first.certificate?.id } });
    expect(again.session).toBeUndefined();
    expect(peer.session).toBeUndefined();
    const other = { username: 'alice', certificate_request: await new TestKey().request() };
    expect(await refusal(t.call(new FakePeer(), 'account.register', other))).toMatchObject({
      code: 'conflict',
      field: 'username',
    });
    expect(
      await refusal(t.call(new FakePeer(), 'account.register', { ...registration, username: 'bob' })),
    ).toMatchObject({ code: 'conflict', field: 'certificate' });
    await t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
  });

  it('that has lost its key gets another by an administrator’s code; the old one is dead for ever', async () => {
    const t = await openWithAuthority();
    const { key } = await registerKey(t, 'alice');
    await t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
    await register(t, 'root');
    await t.store.setAdministrator({ username: parseUsername('root'), isAdmin: true });
    const root = await loggedIn(t, 'root');
    const { exchange, proof: message } = await challenged(t, root, 'root');
    const proof = { exchange, message };
    const { code } = await t.call(root, 'admin.reset', { username: 'alice', proof });
    const old = { username: 'alice', code, certificate_request: await key.request() };
    expect(await refusal(t.call(new FakePeer(), 'account.reset-password', old))).toMatchObject({
      code: 'conflict',
      field: 'certificate',
    });
    const next = new TestKey();
    const given = { username: 'alice', code, certificate_request: await next.request() };
    expect(await t.call(new FakePeer(), 'account.reset-password', given)).toMatchObject({
      certificate: { certificate: expect.stringContaining('BEGIN CERTIFICATE') },
    });
    expect(await refusal(t.call(ours('alice', key), 'login.certificate', { username: 'alice' }))).toEqual(
      badCertificate,
    );
    await t.call(ours('alice', next), 'login.certificate', { username: 'alice' });
    const again = { ...given, certificate_request: await new TestKey().request() };
    expect(await refusal(t.call(new FakePeer(), 'account.reset-password', again))).toMatchObject({
      code: 'not-found',
    });
  });
});

describe('a registration', () => {
  it('has one thing to log in with, and a label for a certificate alone', async () => {
    const t = await openWithAuthority();
    const certificate_request = await new TestKey().request();
    const wrong: Array<[fields: object, field: string]> = [
      [{ certificate_request, password }, 'password'],
      [{ certificate_request, certificate: true }, 'password'],
      [{ password, certificate_label: 'laptop' }, 'certificate_label'],
      [{ certificate_request: '' }, 'certificate_request'],
      [{ certificate: false }, 'certificate'],
    ];
    for (const [fields, field] of wrong) {
      const registration = t.send(new FakePeer(), 'account.register', { username: 'alice', ...fields });
      expect(await refusal(registration)).toMatchObject({ code: 'invalid', field });
    }
    expect(await t.store.account(parseUsername('alice'))).toBeUndefined();
  });
});

describe('a certificate from elsewhere', () => {
  it('registers an account by its key alone, whoever signs over it later', async () => {
    const t = await openWithAuthority();
    const key = new TestKey();
    await t.call(showing(shown(key)), 'account.register', { username: 'sam', certificate: true });
    const later = showing(shown(key, { notBefore: start - 1, notAfter: start + 1 }));
    await t.call(later, 'login.certificate', { username: 'sam' });
    expect(await t.call(later, 'certificate.list', {})).toMatchObject({
      certificates: [{ kind: 'foreign', expires_at: null, current: true }],
    });
    for (const other of [
      { notAfter: start - 1 },
      { notBefore: start + 1 },
      { isForClients: false },
      { isStrong: false },
    ]) {
      const attempt = t.call(showing(shown(key, other)), 'login.certificate', { username: 'sam' });
      expect(await refusal(attempt)).toEqual(badCertificate);
    }
    // One of ours over that key was made for somebody else.
    expect(await refusal(t.call(ours('bob', key), 'login.certificate', { username: 'sam' }))).toEqual(
      badCertificate,
    );
  });

  it('is one account’s: no other registers or adds it, not even when it is revoked', async () => {
    const t = await openWithAuthority();
    const key = new TestKey();
    await t.call(showing(shown(key)), 'account.register', { username: 'sam', certificate: true });
    const second = { username: 'tom', certificate: true as const };
    expect(await refusal(t.call(showing(shown(key)), 'account.register', second))).toMatchObject({
      code: 'conflict',
      field: 'certificate',
    });
    const sam = showing(shown(key));
    await t.call(sam, 'login.certificate', { username: 'sam' });
    const [own] = (await t.call(sam, 'certificate.list', {})).certificates;
    await t.call(sam, 'certificate.revoke', { id: own?.id ?? '' });
    await register(t, 'tom');
    const tom = showing(shown(key));
    await login(t, tom, 'tom');
    expect(await refusal(t.call(tom, 'certificate.add', { proof: { login: true } }))).toMatchObject({
      code: 'conflict',
      field: 'certificate',
    });
  });

  it('is not registered when there is none that could log in', async () => {
    const t = await openWithAuthority();
    const wrong = [
      new FakePeer(),
      showing(shown(new TestKey(), { notAfter: start - 1 })),
      showing(shown(new TestKey(), { isForClients: false })),
      // It is ours, and its key is registered where it was signed.
      ours('sam', new TestKey()),
    ];
    for (const peer of wrong) {
      const registration = t.call(peer, 'account.register', { username: 'sam', certificate: true });
      expect(await refusal(registration)).toMatchObject({ code: 'invalid', field: 'certificate' });
    }
    expect(await t.store.account(parseUsername('sam'))).toBeUndefined();
  });

  it('is added to an account that has proven itself once more', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const key = new TestKey();
    const peer = showing(shown(key));
    const { session_token } = await login(t, peer, 'alice');
    expect(await t.call(peer, 'certificate.add', { label: 'card', proof: { login: true } })).toMatchObject({
      kind: 'foreign',
      label: 'card',
    });
    await t.call(showing(shown(key)), 'login.certificate', { username: 'alice' });
    const stolen = showing(shown(new TestKey()));
    await t.call(stolen, 'login.resume', { session_token });
    expect(await refusal(t.call(stolen, 'certificate.add', { proof: { login: true } }))).toMatchObject({
      code: 'forbidden',
      field: 'proof',
    });
  });
});

describe('certificate.issue', () => {
  it('signs for the caller alone, for 90 days and for logging in, after a login within the last minute', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const peer = await loggedIn(t, 'alice');
    const key = new TestKey();
    const issued = await t.call(peer, 'certificate.issue', {
      // What a request says of its owner is not looked at.
      request: await key.request('root'),
      label: 'laptop',
      proof: { login: true },
    });
    expect(Date.parse(issued.expires_at)).toBe(start + certificateMs);
    expect(issued.renewed).toBe(false);
    const { X509Certificate } = await import('node:crypto');
    const parsed = new X509Certificate(issued.certificate);
    expect(parsed.subject).toBe('CN=alice');
    expect(parsed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(parsed.verify(new X509Certificate(issued.authority).publicKey)).toBe(true);
    await t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
  });

  it('is gone on by from the session whose login was its proof: to revoke it ends that one', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const [laptop, desk] = [await loggedIn(t, 'alice'), await loggedIn(t, 'alice')];
    const request = await new TestKey().request();
    const { id } = await t.call(laptop, 'certificate.issue', { request, proof: { login: true } });
    const { ended_sessions: ended } = await t.call(desk, 'certificate.revoke', { id });
    expect(ended).toEqual([laptop.opened.session_id]);
  });

  it('takes a fresh proof: a login counts once, for a minute, on its own connection, and a token never', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const peer = await loggedIn(t, 'alice');
    const order = async () => ({ request: await new TestKey().request(), proof: { login: true as const } });
    const late = { code: 'forbidden', field: 'proof' };
    vi.setSystemTime(start + freshLoginMs);
    expect(await refusal(t.call(peer, 'certificate.issue', await order()))).toMatchObject(late);

    const fresh = await loggedIn(t, 'alice');
    vi.setSystemTime(start + 2 * freshLoginMs - 1);
    await t.call(fresh, 'certificate.issue', await order());
    expect(await refusal(t.call(fresh, 'certificate.issue', await order()))).toMatchObject(late);
    const { request } = await order();
    expect(await refusal(t.call(fresh, 'certificate.issue', { request }))).toMatchObject(late);

    const stolen = new FakePeer();
    await t.call(stolen, 'login.resume', { session_token: fresh.opened.session_token });
    expect(await refusal(t.call(stolen, 'certificate.issue', await order()))).toMatchObject(late);
  });

  it('renews over the key that the connection has shown without a proof, and no other key', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    const opened = await t.call(ours('alice', key), 'login.certificate', { username: 'alice' });
    const later = start + 60 * dayMs;
    vi.setSystemTime(later);
    const peer = showing(shown(key, { issuedTo: 'alice', notAfter: start + certificateMs }));
    await t.call(peer, 'login.certificate', { username: 'alice' });
    const renewed = await t.call(peer, 'certificate.issue', { request: await key.request() });
    expect(renewed).toMatchObject({ id, renewed: true });
    expect(Date.parse(renewed.expires_at)).toBe(later + certificateMs);
    const request = await new TestKey().request();
    expect(await refusal(t.call(peer, 'certificate.issue', { request }))).toMatchObject({
      code: 'forbidden',
    });
    // Over a key that the connection has not shown, though it is the account's.
    const elsewhere = ours('alice', new TestKey());
    await t.call(elsewhere, 'login.resume', { session_token: opened.session_token }).catch(() => undefined);
    if (elsewhere.session === undefined) return;
    expect(
      await refusal(t.call(elsewhere, 'certificate.issue', { request: await key.request() })),
    ).toMatchObject({ code: 'forbidden' });
  });

  it('refuses what is no request, and says so', async () => {
    const t = await openWithAuthority();
    await register(t, 'alice');
    const peer = await loggedIn(t, 'alice');
    const order = { request: 'words', proof: { login: true as const } };
    expect(await refusal(t.call(peer, 'certificate.issue', order))).toMatchObject({
      code: 'invalid',
      field: 'request',
    });
  });

  it('is unsupported where the server signs none', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const order = { request: await new TestKey().request(), proof: { login: true as const } };
    expect(await refusal(t.call(await loggedIn(t, 'alice'), 'certificate.issue', order))).toMatchObject({
      code: 'unsupported',
    });
  });
});

describe('certificate.revoke', () => {
  it('ends the sessions that were opened with it at once, and no other', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    const first = ours('alice', key);
    const second = ours('alice', key);
    for (const peer of [first, second]) await t.call(peer, 'login.certificate', { username: 'alice' });
    const other = new TestKey();
    const certificate_request = await other.request();
    await t.call(second, 'certificate.issue', { request: certificate_request, proof: { certificate: true } });
    const byOther = ours('alice', other);
    await t.call(byOther, 'login.certificate', { username: 'alice' });
    const { ended_sessions } = await t.call(byOther, 'certificate.revoke', { id });
    expect(ended_sessions).toHaveLength(2);
    expect([first.endings, second.endings, byOther.endings]).toEqual([['revoked'], ['revoked'], []]);
    expect(byOther.session?.username).toBe('alice');
  });

  it('is for the owner and for administrators; for others there is no such certificate', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    await register(t, 'bob', 'root');
    const bob = await loggedIn(t, 'bob');
    const missing = { code: 'not-found', field: 'id' };
    expect(await refusal(t.call(bob, 'certificate.revoke', { id }))).toMatchObject(missing);
    expect(await refusal(t.call(bob, 'admin.certificates', { username: 'alice' }))).toMatchObject({
      code: 'forbidden',
    });
    await t.store.setAdministrator({ username: parseUsername('root'), isAdmin: true });
    const root = await loggedIn(t, 'root');
    const alice = ours('alice', key);
    await t.call(alice, 'login.certificate', { username: 'alice' });
    expect(await t.call(root, 'admin.certificates', { username: 'alice' })).toMatchObject({
      certificates: [{ id, revoked_at: null }],
    });
    const revocation = { username: 'alice', id };
    expect(await t.call(root, 'admin.revoke-certificate', revocation)).toMatchObject({
      ended_sessions: [expect.any(String)],
    });
    expect(alice.endings).toEqual(['revoked']);
    expect(await refusal(t.call(root, 'admin.revoke-certificate', revocation))).toMatchObject(missing);
    expect(await refusal(t.call(root, 'admin.revoke-certificate', { username: 'nobody', id }))).toMatchObject(
      { code: 'not-found', field: 'username' },
    );
  });
});

describe('an export', () => {
  it('has the certificates of its owner', async () => {
    const t = await openWithAuthority();
    const { key, id } = await registerKey(t, 'alice');
    const peer = ours('alice', key);
    await t.call(peer, 'login.certificate', { username: 'alice' });
    expect(await t.call(peer, 'account.export', { section: 'certificates' })).toMatchObject({
      rows: [{ id, kind: 'issued' }],
    });
  });
});
