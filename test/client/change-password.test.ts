import { describe, expect, it } from 'vitest';
import { type ChangePasswordOptions, changePassword } from '../../src/client/change-password.ts';
import type { LoginPin } from '../../src/client/login.ts';
import { toBase64 } from '../../src/core/crypto/bytes.ts';
import { verifierFrom } from '../../src/core/crypto/verifier.ts';
import { commonPasswordWarning } from '../../src/core/new-password.ts';
import { connectTo, refusal, whole } from './support/connected.ts';
import { type Request, startLineServer } from './support/line-server.ts';

const salt = Uint8Array.from({ length: 16 }, (_, index) => index);
/** The AuthSecret of the golden vector, which the password of these tests makes. */
const secret = Buffer.from('dGWOBn9d55wbMyVEeyP5sxvXcFVvYBDJmd-AKnkMqwM', 'base64url');
const begun = {
  realm: 'chat.example',
  suite: 'CHAT-SCRAM-BCRYPT-1',
  salt: toBase64(salt),
  cost: 10,
  password_policy: { min_code_points: 6, common: 'refuse' },
};
const pin: LoginPin = { suite: begun.suite, bound: false, cost: 10, realm: begun.realm, serverKey: 'any' };

/** Asks a server that answers so for a change; `order` is what happened, in order. */
async function changed(
  answers: { begun?: object; changed?: object } = {},
  given: Partial<ChangePasswordOptions> = {},
) {
  const order: string[] = [];
  const calls: Request[] = [];
  const server = await startLineServer({
    onRequest: (request, peer) => {
      order.push(request.method);
      calls.push(request);
      const isBegin = request.method === 'account.begin-change-password';
      const answer = { privacy: 'private', ended_sessions: 2, ...answers.changed };
      peer.result(request, isBegin ? { ...begun, ...answers.begun } : answer);
    },
  });
  const connection = await connectTo(server);
  const result = changePassword(connection, {
    username: 'Alice',
    newPassword: 'correct horse battery staple',
    privacy: 'private',
    prove: async () => {
      order.push('the proof');
      return { exchange: 'x', message: 'proof' };
    },
    pin,
    onProgress: (fraction) => void (fraction === 1 && order.push('stretched')),
    onWarning: (text) => void order.push(text),
    ...given,
  });
  return { result, order, calls };
}

const before = ['account.begin-change-password'];

describe('changing a password', () => {
  it('sends a verifier made with the told salt, and the proof, which is made last', async () => {
    const { result, order, calls } = await changed();
    expect(await result).toEqual({ privacy: 'private', ended_sessions: 2, cost: 10 });
    expect(order).toEqual([...before, 'stretched', 'the proof', 'account.change-password']);
    const { storedKey, serverKey } = verifierFrom(secret, salt, 10);
    expect(calls[1]?.params).toEqual({
      proof: { exchange: 'x', message: 'proof' },
      verifier: {
        suite: begun.suite,
        salt: begun.salt,
        cost: 10,
        stored_key: toBase64(storedKey),
        server_key: toBase64(serverKey),
      },
      privacy: 'private',
    });
  });

  it.each([
    ['that is common', 'trustno1', {}],
    ['that is too short for the server', 'correct hor', { min_code_points: 12 }],
    ['that is the name', 'alice.smith', { common: 'warn' }],
  ])('refuses a new one %s before it is stretched or proven', async (_, newPassword, rules) => {
    const password_policy = { ...begun.password_policy, ...rules };
    const { result, order } = await changed(
      { begun: { password_policy } },
      { username: 'alice.smith', newPassword },
    );
    expect(whole(await refusal(result))).toMatchObject({ code: 'invalid', field: 'password' });
    expect(order).toEqual(before);
  });

  it('warns of a common one where that is enough', async () => {
    const password_policy = { min_code_points: 6, common: 'warn' };
    const { result, order } = await changed({ begun: { password_policy } }, { newPassword: 'trustno1' });
    await result;
    expect(order[1]).toBe(commonPasswordWarning);
  });

  it.each([
    ['a lower cost than was seen', {}, { ...pin, cost: 11 }, 'it asks for cost 10, but asked for 11 before'],
    ['another realm', {}, { ...pin, realm: 'other.example' }, 'its realm has changed'],
    ['a cost of 9', { cost: 9 }, undefined, 'it asks for cost 9, which is not within 10 to 14'],
    ['another suite', { suite: 'PLAIN' }, undefined, 'it asks for a hash that this client does not know'],
  ])('trusts no server that asks for %s', async (_, bent, seen, why) => {
    const { result, order } = await changed({ begun: bent }, { pin: seen });
    expect(whole(await refusal(result))).toEqual({
      code: 'untrusted',
      text: `the server cannot be trusted with a password: ${why}`,
    });
    expect(order).toEqual(before);
  });

  it.each([{ privacy: 'open' }, { privacy: 7 }, { ended_sessions: 'many' }])(
    'takes %j for a broken answer',
    async (answer) => {
      expect((await refusal((await changed({ changed: answer })).result)).code).toBe('unavailable');
    },
  );
});
