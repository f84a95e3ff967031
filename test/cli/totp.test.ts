import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/core/errors.ts';
import { loggedIn } from './support/logged-in.ts';

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const uri = `otpauth://totp/chat%20127.0.0.1%3A8080:alice?issuer=chat%20127.0.0.1%3A8080&secret=${secret}&algorithm=SHA1&digits=6&period=30`;
const recovery_codes = Array.from({ length: 10 }, (_, number) => `${number}-AAAA-BBBB-CCCC`);
const me = (on: boolean, left = 0) => ({ second_factor: { on, recovery_codes_left: left } });
const env = { CHAT_PASSWORD: 'secret' };
const proof = { exchange: 'exchange of alice', message: 'proof of secret' };
const wrongCode = new ChatError('unauthenticated', 'the one-time code is wrong');

const factorOff = {
  'account.me': me(false),
  'account.totp-begin': { secret, uri },
  'account.totp-confirm': { recovery_codes, ended_sessions: 2 },
};
const factorOn = {
  'account.me': me(true, 10),
  'account.totp-off': { ended_sessions: 1 },
  'account.recovery-codes': { recovery_codes },
};

describe('chat totp', () => {
  it.each([
    [me(false), 'off\n'],
    [me(true, 10), 'on, 10 recovery codes left\n'],
    [me(true, 1), 'on, 1 recovery code left\n'],
  ])('tells whether the factor is on, and what is left: %j', async (answer, stdout) => {
    const { run } = await loggedIn({ 'account.me': answer });
    expect(await run('totp')).toEqual({ code: 0, stdout, stderr: '' });
    expect(JSON.parse((await run('totp', '-o', 'json')).stdout)).toEqual(answer.second_factor);
    const second_factor = { ...answer.second_factor, on: false, taken_at: '2026-11-20T06:00:00.000Z' };
    const taken = await loggedIn({ 'account.me': { second_factor } });
    const text = 'off; an administrator took it away at 2026-11-20 06:00:00\n';
    expect((await taken.run('totp')).stdout).toBe(text);
  });
});

describe('chat totp on', () => {
  it('shows a person a QR code and the secret, asks for a code, and prints the recovery codes on stdout alone', async () => {
    const { host, server, run } = await loggedIn(factorOff, { terminal: true, typed: ['secret', ' 123456'] });
    const { code, stdout, stderr } = await run('totp', 'on', '--no-color');
    expect({ code, stdout }).toEqual({ code: 0, stdout: recovery_codes.map((one) => `${one}\n`).join('') });
    expect(host.asked).toEqual(['Password', 'One-time code']);
    expect(stderr).toContain('GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n');
    expect(stderr.split('\n').filter((line) => /^[█▀▄ ]{40,}$/.test(line)).length).toBeGreaterThan(20);
    expect(stderr).toContain('the second factor is on; ended 2 other sessions\n');
    expect(server.calls.slice(-2)).toEqual([
      { name: 'account.totp-begin', params: { proof, issuer: 'chat 127.0.0.1:8080' } },
      { name: 'account.totp-confirm', params: { code: '123456' } },
    ]);
  });

  it('asks again after a wrong code, three times in all', async () => {
    let tried = 0;
    const confirm = () => {
      tried += 1;
      throw wrongCode;
    };
    const { run } = await loggedIn(
      { ...factorOff, 'account.totp-confirm': confirm },
      { terminal: true, typed: ['secret', '1', '2', '3'] },
    );
    const { code, stdout } = await run('totp', 'on');
    expect({ code, stdout, tried }).toEqual({ code: 4, stdout: '', tried: 3 });
  });

  it('draws no QR code where it is read aloud', async () => {
    const { run } = await loggedIn(factorOff, { terminal: true, typed: ['secret', '123456'] });
    const { stderr } = await run('totp', 'on', '--screen-reader');
    expect(stderr).not.toMatch(/[█▀▄]/);
    expect(stderr).toContain('GEZD GNBV');
  });

  it('prints a script what an authenticator needs, and is turned on with --otp', async () => {
    const { server, run } = await loggedIn(factorOff, { env });
    expect(await run('totp', 'on')).toEqual({
      code: 0,
      stdout: `${secret}\n${uri}\n`,
      stderr: 'not on yet; turn it on within 15 minutes: chat totp on --otp CODE\n',
    });
    expect(server.calls.some(({ name }) => name === 'account.totp-confirm')).toBe(false);
    expect(JSON.parse((await run('totp', 'on', '-o', 'json')).stdout)).toEqual({ secret, uri });
    server.calls.length = 0;
    const { code, stdout } = await run('totp', 'on', '--otp', '123456', '-o', 'json');
    expect({ code, answer: JSON.parse(stdout) }).toEqual({
      code: 0,
      answer: { recovery_codes, ended_sessions: 2 },
    });
    expect(server.calls.map(({ name }) => name)).toEqual(['account.totp-confirm']);
  });

  it('says that the factor is on already before it asks for anything', async () => {
    const person = await loggedIn(factorOn, { terminal: true });
    expect(await person.run('totp', 'on', '--no-color')).toEqual({
      code: 7,
      stdout: '',
      stderr: 'chat: this account has a second factor already\n',
    });
    const script = await loggedIn(factorOn, { env });
    expect((await script.run('totp', 'on')).code).toBe(7);
  });

  it('says how to make other recovery codes when its output did not take them', async () => {
    const { host, run } = await loggedIn({
      ...factorOff,
      'account.totp-confirm': () => {
        host.stdout.break();
        return { recovery_codes, ended_sessions: 0 };
      },
    });
    expect(await run('totp', 'on', '--otp', '123456')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'the second factor is on; there was no other session\n' +
        'chat: nobody reads the output; the recovery codes were not shown: make others with chat totp codes\n',
    });
  });

  it('takes no password besides --otp, and needs one without', async () => {
    const { run } = await loggedIn(factorOff);
    expect(await run('totp', 'on', '--otp', '1', '--password-stdin')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--otp and --password-stdin cannot be given together'),
    });
    expect(await run('totp', 'on')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a password is needed'),
    });
  });
});

describe('chat totp off and chat totp codes', () => {
  it.each([
    ['off', 'account.totp-off', '', 'the second factor is off; ended 1 other session\n'],
    [
      'codes',
      'account.recovery-codes',
      recovery_codes.map((one) => `${one}\n`).join(''),
      'these recovery codes',
    ],
  ])('need the password and a code: %s', async (word, name, stdout, stderr) => {
    const { server, run } = await loggedIn(factorOn, { env });
    expect(await run('totp', word, '--otp', '123456')).toEqual({
      code: 0,
      stdout,
      stderr: expect.stringContaining(stderr),
    });
    expect(server.calls.at(-1)).toEqual({ name, params: { proof: { ...proof, otp: '123456' } } });
  });

  it('ask a person for the code, and end with 11 in a script without one', async () => {
    const person = await loggedIn(factorOn, { terminal: true, typed: ['secret', '123456'] });
    expect((await person.run('totp', 'off')).code).toBe(0);
    expect(person.host.asked).toEqual(['Password', 'One-time code']);
    const script = await loggedIn(factorOn, { env });
    expect(await script.run('totp', 'off')).toEqual({
      code: 11,
      stdout: '',
      stderr: 'chat: this account has a second factor: give its code with --otp\n',
    });
    expect(script.server.calls.some(({ name }) => name === 'account.totp-off')).toBe(false);
  });
});
