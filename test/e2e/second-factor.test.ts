import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stepMs, totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { secretOf } from '../core/support/second-factor.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';

let server: ServerProcess;
let world: World;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve(['--require-second-factor', '--free-failed-logins', '0']);
}, 60_000);
afterAll(async () => {
  for (const close of closers) await close();
});

const codeOf = (secret: string, steps = 0): string =>
  totpCode(secretOf(secret), totpStep(Date.now() + steps * stepMs));

/** Turns a factor on; the code of the step before this one is used up by it. */
async function turnOn(person: Person): Promise<{ secret: string; recoveryCodes: string[] }> {
  const [begun] = await person.json<{ secret: string; uri: string }>(['totp', 'on']);
  const { secret = '', uri = '' } = begun ?? {};
  expect(uri).toContain(`secret=${secret}`);
  const [on] = await person.json<{ recovery_codes: string[] }>(['totp', 'on', '--otp', codeOf(secret, -1)]);
  return { secret, recoveryCodes: on?.recovery_codes ?? [] };
}

/** Some twenty commands, one after the other, on a machine that may have other work. */
const longMs = 300_000;

describe('a second factor, with the built program', { timeout: longMs }, () => {
  it('6.3.4: is required, set up, asked for at the next login, and a recovery code stands in for it once', async () => {
    const alice = await world.person('alice', server).register();
    expect(await alice.run(['send', 'hi'])).toEqual({
      code: 5,
      out: '',
      err: 'chat: this server requires a second factor, and this account has none: run `chat totp on`\n',
    });

    await alice.succeed(['login', 'alice', '--context', 'other']);
    const { secret, recoveryCodes } = await turnOn(alice);
    expect(recoveryCodes).toHaveLength(10);
    await alice.succeed(['send', 'hi']);
    expect(await alice.run(['whoami', '--context', 'other'])).toMatchObject({ code: 4, out: '' });

    expect(await alice.run(['login', 'alice'])).toMatchObject({ code: 11, out: '' });
    expect(await alice.run(['login', 'alice', '--otp', recoveryCodes[0]?.replace(/.$/, '!') ?? ''])).toEqual({
      code: 4,
      out: '',
      err: 'chat: the one-time code is wrong, too old or has been used already\n',
    });
    const code = codeOf(secret);
    expect(await alice.run(['login', 'alice', '--otp', code])).toMatchObject({ code: 0 });
    expect(await alice.run(['login', 'alice', '--otp', code])).toMatchObject({ code: 4 });
    expect(await alice.run(['login', 'alice', '--otp', recoveryCodes[0] ?? ''])).toMatchObject({ code: 0 });
    expect(await alice.run(['totp'])).toMatchObject({ out: 'on, 9 recovery codes left\n' });

    expect(await alice.run(['totp', 'off'])).toMatchObject({ code: 11, out: '' });
    const fresh = (await alice.succeed(['totp', 'codes', '--otp', recoveryCodes[1] ?? '']))
      .trim()
      .split('\n');
    expect(fresh).toHaveLength(10);
    expect(await alice.run(['totp', 'off', '--otp', recoveryCodes[2] ?? ''])).toMatchObject({ code: 4 });
    expect(await alice.run(['totp', 'off', '--otp', fresh[2] ?? ''])).toMatchObject({ code: 0, out: '' });
    expect(await alice.run(['login', 'alice'])).toMatchObject({ code: 0 });
  });

  it('keeps a new password behind a code, too', async () => {
    const bob = await world.person('bob', server).register();
    const { recoveryCodes } = await turnOn(bob);
    const change = ['account', 'password', '--new-password-stdin'];
    expect(await bob.run(change, 'another horse of bob\n')).toMatchObject({ code: 11 });
    const [code = ''] = recoveryCodes;
    expect(await bob.run([...change, '--otp', code], 'another horse of bob\n')).toMatchObject({ code: 0 });
  });
});
