import { describe, expect, it, vi } from 'vitest';
import {
  loginByCertificate,
  registerByCertificate,
  resetByCertificate,
} from '../../src/client/certificate.ts';
import { stepMs, totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import type { ChatError } from '../../src/core/errors.ts';
import { showing, shown, TestKey, testAuthority } from '../core/support/certificates.ts';
import { FakePeer, openChat, refusal } from '../core/support/chat.ts';
import { secretOf, wrongCodeAt } from '../core/support/second-factor.ts';
import { type Bend, connectionTo } from './keys/support/keyed-client.ts';

/** A chat where alice has registered with a key alone. */
async function open() {
  const t = await openChat({ authority: await testAuthority() });
  const key = new TestKey();
  const registered = await registerByCertificate(connectionTo(t, new FakePeer()), {
    username: 'alice',
    request: await key.request('alice'),
    label: 'laptop',
  });
  const show = () => showing(shown(key, { issuedTo: 'alice' }));
  return { t, key, registered, show };
}

describe('a login by certificate', () => {
  it('tells the session and which realm the server is', async () => {
    const { t, registered, show } = await open();
    expect(registered).toMatchObject({
      account: { username: 'alice' },
      signed: { certificate: expect.stringContaining('BEGIN CERTIFICATE') },
    });
    const opened = await loginByCertificate(connectionTo(t, show()), { username: 'Alice' });
    expect(opened).toMatchObject({
      session: { username: 'alice', session_token: expect.stringMatching(/^cs1_/) },
      realm: 'chat.example',
    });
  });

  it('believes no server that does not say which realm it is, or whose session it opened', async () => {
    const { t, show } = await open();
    const bends: Bend[] = [
      (name, answer) => (name === 'login.certificate' ? { ...answer, realm: undefined } : answer),
      (name, answer) => (name === 'login.certificate' ? { ...answer, username: 'bob' } : answer),
    ];
    for (const bend of bends) {
      const login = loginByCertificate(connectionTo(t, show(), bend), { username: 'alice' });
      expect(await refusal(login)).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('the server answered with'),
      });
    }
  });

  it('asks for the code of a second factor, again after a wrong one, and takes one that is at hand', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const { t, show } = await open();
      const first = show();
      await loginByCertificate(connectionTo(t, first), { username: 'alice' });
      const begun = await t.call(first, 'account.totp-begin', { proof: { certificate: true } });
      const secret = secretOf(begun.secret);
      const codeAt = (steps: number) => totpCode(secret, totpStep(Date.now() + steps * stepMs));
      await t.call(first, 'account.totp-confirm', { code: codeAt(-1) });

      expect(await refusal(loginByCertificate(connectionTo(t, show()), { username: 'alice' }))).toMatchObject(
        {
          code: 'second-factor-required',
        },
      );
      const wrong = wrongCodeAt(secret, Date.now());
      const typed = [wrong, codeAt(0)];
      const refused: Array<string | undefined> = [];
      const askOtp = async (error?: ChatError) => {
        refused.push(error?.code);
        return typed.shift() ?? '';
      };
      const asked = await loginByCertificate(connectionTo(t, show()), { username: 'alice', askOtp });
      expect([asked.session.username, asked.realm, refused]).toEqual([
        'alice',
        'chat.example',
        [undefined, 'unauthenticated'],
      ]);
      const given = { username: 'alice', otp: codeAt(1) };
      expect(await loginByCertificate(connectionTo(t, show()), given)).toMatchObject({
        session: { username: 'alice' },
      });
      const mistyped = loginByCertificate(connectionTo(t, show()), { username: 'alice', otp: wrong });
      expect(await refusal(mistyped)).toMatchObject({
        code: 'unauthenticated',
        message: expect.stringContaining('one-time code'),
      });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a certificate that a server has signed', () => {
  it('is believed when it is one, and nothing else is', async () => {
    const { t } = await open();
    const request = await new TestKey().request('bob');
    for (const certificate of ['words', '-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n', 7]) {
      const at = '2026-11-21T06:00:00.000Z';
      const signed = { id: 'one', certificate, expires_at: at };
      const account = { user_id: 'id', username: 'bob', created_at: at, certificate: signed };
      const connection = connectionTo(t, new FakePeer(), (name, answer) =>
        name === 'account.begin-register' ? answer : account,
      );
      for (const call of [
        registerByCertificate(connection, { username: 'bob', request, label: '' }),
        resetByCertificate(connection, { username: 'bob', code: 'x', request, label: '' }),
      ]) {
        expect(await refusal(call)).toMatchObject({
          code: 'unavailable',
          message: expect.stringContaining('the server answered with a wrong certificate'),
        });
      }
    }
  });
});
