import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, turnOn } from './support/second-factor.ts';
import { type ServerProcess, World } from './support/server.ts';

let server: ServerProcess;
let world: World;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve(['--require-second-factor', '--free-failed-logins', '0']);
}, 300_000);
afterAll(async () => {
  for (const close of closers) await close();
});

/** Some twenty commands, one after the other, on a machine that may have other work. */
const longMs = 300_000;

describe('a second factor, with the built program', { timeout: longMs }, () => {
  it('6.3.4: is required, set up, asked for at the next login, and a recovery code stands in for it once', async () => {
    const alice = await world.person('alice', server).register({ hasBackup: false });
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
    const bob = await world.person('bob', server).register({ hasBackup: false });
    const { recoveryCodes } = await turnOn(bob);
    const change = ['account', 'password', '--new-password-stdin'];
    expect(await bob.run(change, 'another horse of bob\n')).toMatchObject({ code: 11 });
    const [code = ''] = recoveryCodes;
    expect(await bob.run([...change, '--otp', code], 'another horse of bob\n')).toMatchObject({ code: 0 });
  });
});
