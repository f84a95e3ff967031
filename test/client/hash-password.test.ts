import { describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/client/hash-password.ts';
import type { LoginPin } from '../../src/client/login.ts';
import { toBase64 } from '../../src/core/crypto/bytes.ts';
import { connectTo, refusal, whole } from './support/connected.ts';
import { startLineServer } from './support/line-server.ts';

const answer = {
  realm: 'chat.example',
  suite: 'CHAT-SCRAM-BCRYPT-1',
  salt: toBase64(Uint8Array.from({ length: 16 }, (_, index) => index)),
  cost: 10,
};
const alice = { username: 'Alice', password: 'correct horse battery staple' };
const pin: LoginPin = {
  suite: answer.suite,
  bound: false,
  cost: 10,
  realm: answer.realm,
  serverKey: 'any',
};

/** A connection to a server that answers `login.salt` with this. */
async function connection(salt: object = answer) {
  const asked: unknown[] = [];
  const server = await startLineServer({
    onRequest: (request, peer) => {
      asked.push([request.method, request.params]);
      peer.result(request, salt);
    },
  });
  return { connection: await connectTo(server), asked };
}

describe('hashing a password', () => {
  it('answers v1. and the AuthSecret of the golden vector, and shows the server the name alone', async () => {
    const fractions: number[] = [];
    const { connection: to, asked } = await connection();
    const onProgress = (fraction: number) => void fractions.push(fraction);
    expect(await hashPassword(to, { ...alice, pin, onProgress })).toEqual({
      username: 'alice',
      hashed_password: 'v1.dGWOBn9d55wbMyVEeyP5sxvXcFVvYBDJmd-AKnkMqwM',
      realm: answer.realm,
      salt: answer.salt,
      cost: 10,
    });
    expect(asked).toEqual([['login.salt', { username: 'alice' }]]);
    expect(fractions.at(-1)).toBe(1);
  });

  it.each<[string, object, string]>([
    ['a cost of 9', { cost: 9 }, 'it asks for cost 9, which is not within 10 to 14'],
    ['a cost of 15', { cost: 15 }, 'it asks for cost 15, which is not within 10 to 14'],
    ['a broken cost', { cost: 10.5 }, 'it asks for cost 10.5, which is not within 10 to 14'],
    ['another suite', { suite: 'PLAIN' }, 'it asks for a hash that this client does not know'],
    ['no realm of ours', { realm: 'a|b' }, 'it asks for a hash that this client does not know'],
    ['another realm than before', { realm: 'other.example' }, 'its realm has changed'],
  ])('refuses a server with %s before the password is touched', async (_what, change, why) => {
    const { connection: to } = await connection({ ...answer, ...change });
    let hasBegun = false;
    const onProgress = () => {
      hasBegun = true;
    };
    expect(whole(await refusal(hashPassword(to, { ...alice, pin, onProgress })))).toEqual({
      code: 'untrusted',
      text: `the server cannot be trusted with a password: ${why}`,
    });
    expect(hasBegun).toBe(false);
  });

  it('refuses a cost below the one that was seen before', async () => {
    const { connection: to } = await connection();
    expect(whole(await refusal(hashPassword(to, { ...alice, pin: { ...pin, cost: 11 } })))).toEqual({
      code: 'untrusted',
      text: 'the server cannot be trusted with a password: it asks for cost 10, but asked for 11 before',
    });
  });

  it.each<[string, object, string]>([
    ['15 bytes of salt', { salt: `${toBase64(new Uint8Array(15))}AAAA` }, 'a wrong salt'],
    ['a salt that is no base64', { salt: '!'.repeat(24) }, 'a wrong salt'],
    ['no salt', { salt: undefined }, 'a wrong salt'],
    ['a cost in words', { cost: '10' }, 'a wrong cost'],
  ])('does not believe %s', async (_what, change, what) => {
    const { connection: to } = await connection({ ...answer, ...change });
    const error = await refusal(hashPassword(to, alice));
    expect([error.code, error.message]).toEqual([
      'unavailable',
      expect.stringMatching(new RegExp(`the server answered with ${what}$`)),
    ]);
  });

  it('refuses a password and a name that no account can have, without asking the server', async () => {
    const { connection: to, asked } = await connection();
    expect((await refusal(hashPassword(to, { ...alice, password: 'five5' }))).details.field).toBe('password');
    expect((await refusal(hashPassword(to, { ...alice, username: 'a b' }))).details.field).toBe('username');
    expect(asked).toEqual([]);
  });
});
