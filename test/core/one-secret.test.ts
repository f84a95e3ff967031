import { describe, expect, it } from 'vitest';
import { loggedIn, openChat, password, peer, refusal, register, registration } from './support/chat.ts';

const hashed = `v1.${'A'.repeat(43)}`;

describe('one secret, neither none nor two,', () => {
  it('makes an account', async () => {
    const t = await openChat();
    const { verifier } = await registration('alice');
    const ways = 'give one of password, hashed_password, verifier, certificate_request and certificate';
    const make = (given: object) => t.send(peer(), 'account.register', { username: 'alice', ...given });
    for (const given of [{}, { password, verifier }, { verifier, certificate: true }]) {
      expect(await refusal(make(given))).toMatchObject({ code: 'invalid', message: `password: ${ways}` });
    }
    expect(await make({ verifier })).toMatchObject({ username: 'alice' });
  });

  it('changes the password', async () => {
    const t = await openChat();
    await register(t, 'alice');
    const { verifier } = await registration('alice');
    const alice = await loggedIn(t, 'alice');
    const ways = 'give one of password, hashed_password and verifier';
    const proof = { password };
    for (const given of [{}, { password, verifier }, { password, hashed_password: hashed }]) {
      const change = t.send(alice, 'account.change-password', { proof, ...given });
      expect(await refusal(change)).toMatchObject({ code: 'invalid', message: `password: ${ways}` });
    }
  });
});
