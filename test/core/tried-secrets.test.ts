import { expect, it } from 'vitest';
import { operations } from '../../src/core/operations/index.ts';
import { loggedIn, openChat, peer, refusal, register } from './support/chat.ts';

const loginsPerMinute = 3;

/** Every operation that says whether something is the secret: a password, a code, a token, or what is made of one. */
const trying = [
  'login.begin',
  'login.password',
  'login.hashed-password',
  'login.second-factor',
  'login.resume',
  'session.refresh',
  'account.reset-password',
  'account.verify-email',
  'account.change-password',
  'account.totp-begin',
  'account.totp-confirm',
  'account.totp-off',
  'account.recovery-codes',
  'admin.claim',
];

it('6.3.1: each try of a secret counts as a login of its address', async () => {
  const t = await openChat({ policy: { loginsPerMinute } });
  await register(t, 'alice');
  for (const [index, name] of trying.entries()) {
    const address = `192.0.2.${index + 1}`;
    const isForAnyone = operations.find((one) => one.name === name)?.access === 'anyone';
    const caller = isForAnyone ? peer({ address }) : await loggedIn(t, 'alice', { address });
    // To log in was one of them, from the same address.
    for (let count = isForAnyone ? 0 : 1; count < loginsPerMinute; count++) {
      expect([name, (await refusal(t.send(caller, name, {}))).code]).toEqual([name, 'invalid']);
    }
    expect([name, (await refusal(t.send(caller, name, {}))).message]).toEqual([
      name,
      'too many logins: wait before the next one',
    ]);
  }
});
