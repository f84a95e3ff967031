import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeKey, openCertificateFiles } from '../../src/cli/certificate-files.ts';
import { openProfile } from '../../src/cli/profile.ts';
import { ChatError } from '../../src/core/errors.ts';
import { TestKey, testAuthority } from '../core/support/certificates.ts';
import {
  address,
  called,
  dayMs,
  keepFrom,
  loggedInByCertificate,
  refused,
  sign,
  world,
} from './support/certificate-world.ts';
import { openedSession } from './support/fake-client.ts';
import { runOn, testNow } from './support/fake-host.ts';

const noPassword = 'cannot be given together: the key takes the place of a password';

describe('the files of a certificate', () => {
  it('are their owner’s alone, and read only by the two together', async () => {
    const { host, files } = await world();
    await keepFrom(host, 0);
    for (const path of [files.keyPath, files.certificatePath]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    await chmod(files.keyPath, 0o644);
    await expect(files.load()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('chmod 600'),
    });
    await chmod(files.keyPath, 0o600);
    await writeFile(files.keyPath, makeKey());
    await expect(files.load()).rejects.toMatchObject({
      message: expect.stringContaining('does not go with'),
    });
    await writeFile(files.certificatePath, 'words');
    await expect(files.load()).rejects.toMatchObject({
      message: expect.stringContaining('is no certificate'),
    });
  });

  it('take no certificate over another key, nor one for another name', async () => {
    const { files } = await world();
    const key = new TestKey();
    const { certificate } = await sign(await key.request());
    await expect(files.save(certificate, makeKey())).rejects.toMatchObject({ code: 'untrusted' });
    const other = await sign(await key.request(), testNow, 'bob');
    await expect(files.save(other.certificate, key.pem)).rejects.toMatchObject({ code: 'untrusted' });
    await expect(files.save('words', key.pem)).rejects.toMatchObject({ code: 'untrusted' });
    expect(await files.load()).toBeUndefined();
  });

  it.each([
    [59, false],
    [61, true],
  ])('tell after %s of 90 days that renewal is due: %s', async (days, isDue) => {
    const { host, files } = await world();
    await keepFrom(host, days);
    expect((await files.load())?.isDue).toBe(isDue);
  });
});

describe('chat register --certificate', () => {
  it('keeps the key before the server hears of it, and logs in on a connection that shows the certificate', async () => {
    const { server, host, shown, files } = await world({
      'account.register': async ({ certificate_request }) => {
        expect(await files.key()).toContain('BEGIN PRIVATE KEY');
        return await sign(String(certificate_request));
      },
    });
    const outcome = await runOn(host, 'register', 'alice', '--certificate');
    expect(outcome).toMatchObject({ code: 0, stdout: '' });
    expect(outcome.stderr).toContain(`the key is ${files.keyPath}`);
    const certificate = await readFile(files.certificatePath, 'utf8');
    expect(shown).toEqual([undefined, certificate]);
    expect(called(server, 'login.certificate')).toHaveLength(1);
    expect(host.asked).toEqual([]);
  });

  it('is told that there is an account, and with --ignore-exists logs in to it, when it comes again', async () => {
    const registered = { created_at: new Date(testNow).toISOString() };
    const { host } = await world({
      'account.register': async ({ certificate_request }) => ({
        ...(await sign(String(certificate_request))),
        ...registered,
      }),
    });
    expect(await runOn(host, 'register', 'alice', '--certificate', '--ignore-exists')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('registered and logged in as alice'),
    });
    expect(await runOn(host, 'register', 'alice', '--certificate', '--ignore-exists')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('alice exists; logged in'),
    });
    expect(await runOn(host, 'register', 'alice', '--certificate')).toMatchObject({
      code: 7,
      stderr: expect.stringContaining('alice is registered'),
    });
  });

  it('comes with the same key when the answer was lost', async () => {
    let tries = 0;
    const { server, host } = await world({
      'account.register': async ({ certificate_request }) => {
        tries += 1;
        if (tries === 1) throw new ChatError('unavailable', 'the connection broke');
        return await sign(String(certificate_request));
      },
    });
    expect((await runOn(host, 'register', 'alice', '--certificate')).code).toBe(3);
    expect((await runOn(host, 'register', 'alice', '--certificate')).code).toBe(0);
    const keys = await Promise.all(
      called(server, 'account.register').map(async ({ params }) => {
        const { certificate_request } = params as { certificate_request: string };
        return Buffer.from((await (await testAuthority()).readRequest(certificate_request)).keyHash).toString(
          'hex',
        );
      }),
    );
    expect(new Set(keys).size).toBe(1);
  });

  it('makes another key when the one that is here belongs to an account already', async () => {
    let tries = 0;
    const { host, files } = await world({
      'account.register': async ({ certificate_request }) => {
        tries += 1;
        if (tries === 1) throw new ChatError('conflict', 'taken', { field: 'certificate' });
        return await sign(String(certificate_request));
      },
    });
    await files.saveKey(makeKey());
    const before = await files.key();
    expect((await runOn(host, 'register', 'alice', '--certificate')).code).toBe(0);
    expect(await files.key()).not.toBe(before);
  });

  it('logs in with --ignore-exists when the name is taken, by the certificate that is here', async () => {
    const { host, server } = await world({
      'account.register': new ChatError('conflict', 'taken', { field: 'username' }),
    });
    expect(await runOn(host, 'register', 'alice', '--certificate', '--ignore-exists')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('chat: there is no certificate of alice here\n'),
    });
    await keepFrom(host, 0);
    expect((await runOn(host, 'register', 'alice', '--certificate', '--ignore-exists')).code).toBe(0);
    expect(called(server, 'login.certificate')).toHaveLength(1);
  });

  it.each([
    [['--certificate', '--password-stdin'], `--certificate and --password-stdin ${noPassword}`],
    [['--certificate', '--password-file', 'pw'], `--certificate and --password-file ${noPassword}`],
    [['--certificate', '--server', 'plain://127.0.0.1:8080'], '--certificate needs TLS'],
  ])('refuses %s', async (flags, text) => {
    const { host, server } = await world();
    const outcome = await runOn(host, 'register', 'alice', ...flags);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining(text) });
    expect(server.calls).toEqual([]);
  });
});

describe('chat login --certificate', () => {
  it('takes the password once and has a certificate signed, then none', async () => {
    const { host, server, shown } = await world({}, { env: { CHAT_PASSWORD: 'secret' } });
    const first = await runOn(host, 'login', 'alice', '--certificate');
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('logged in as alice, with a certificate'),
    });
    expect(called(server, 'certificate.issue')).toMatchObject([
      { params: { proof: { login: true }, label: 'test-machine' } },
    ]);
    expect((await runOn(host, 'login', 'alice', '--certificate')).code).toBe(0);
    expect(called(server, 'certificate.issue')).toHaveLength(1);
    expect(called(server, 'login.certificate')).toHaveLength(1);
    expect(shown.map((certificate) => certificate !== undefined)).toEqual([false, true]);
    expect((await runOn(host, 'login', 'alice', '--certificate', '--new')).code).toBe(0);
    expect(called(server, 'certificate.issue')).toHaveLength(2);
  });

  it('--new has one signed over another key for the one that is here, and for the password when that is refused', async () => {
    const { host, server, files } = await world({}, { terminal: true, typed: ['secret'] });
    const before = await keepFrom(host, 0);
    expect((await runOn(host, 'login', 'alice', '--certificate', '--new')).code).toBe(0);
    expect(called(server, 'certificate.issue')).toMatchObject([{ params: { proof: { login: true } } }]);
    const after = await readFile(files.certificatePath, 'utf8');
    expect(after).not.toBe(before);
    server.answers['login.certificate'] = refused();
    const outcome = await runOn(host, 'login', 'alice', '--certificate', '--new');
    expect(outcome).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('may have expired or been revoked'),
    });
    expect(await readFile(files.certificatePath, 'utf8')).not.toBe(after);
  });

  it('asks for the password when the certificate that is here has expired', async () => {
    const { host, server } = await world();
    await keepFrom(host, 91);
    expect(await runOn(host, 'login', 'alice', '--certificate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a password is needed'),
    });
    expect(server.calls).toEqual([]);
  });

  it('says what to do when the server refuses it', async () => {
    const { host, files } = await world({ 'login.certificate': refused() });
    await keepFrom(host, 0);
    const outcome = await runOn(host, 'login', 'alice', '--certificate');
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toContain(files.certificatePath);
    expect(outcome.stderr).toContain('chat login --certificate --new');
    expect(outcome.stderr).toContain('chat reset --certificate');
  });

  it('--new is for --certificate', async () => {
    const { host } = await world();
    expect(await runOn(host, 'login', 'alice', '--new')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--new is for --certificate'),
    });
  });
});

describe('a login by certificate', () => {
  it('shows the certificate with every command, and has nothing signed while it is young', async () => {
    const { host, server, shown } = await loggedInByCertificate(0);
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect(shown).toEqual([expect.stringContaining('BEGIN CERTIFICATE')]);
    expect(called(server, 'certificate.issue')).toEqual([]);
  });

  it('has it signed anew over the same key when a third is left, once', async () => {
    const at = await loggedInByCertificate(0);
    const { host, server, files } = at;
    await keepFrom(host, 61);
    const key = await files.key();
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect(called(server, 'certificate.issue')).toHaveLength(1);
    expect(called(server, 'certificate.issue')[0]?.params).not.toHaveProperty('proof');
    expect(await files.key()).toBe(key);
    expect(await files.load()).toMatchObject({ expiresAt: testNow + 90 * dayMs, isDue: false });
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect(called(server, 'certificate.issue')).toHaveLength(1);
  });

  it('goes on with the old one when it cannot be renewed, and says so', async () => {
    const { host } = await loggedInByCertificate(0, {
      'certificate.issue': new ChatError('unavailable', 'not now'),
    });
    const certificate = await keepFrom(host, 61);
    const outcome = await runOn(host, 'whoami');
    expect(outcome).toMatchObject({ code: 0, stdout: 'alice\n' });
    expect(outcome.stderr).toContain('could not be renewed: not now');
    expect(await readFile(openCertificateFiles(host, address, 'alice').certificatePath, 'utf8')).toBe(
      certificate,
    );
  });

  it('logs in again by itself when the session is over, and not when the certificate is refused', async () => {
    const { host, server } = await loggedInByCertificate(0, {
      'session.refresh': new ChatError('unauthenticated', 'over'),
    });
    server.alive.clear();
    expect(await runOn(host, 'whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
    expect(called(server, 'login.certificate')).toHaveLength(1);
    server.alive.clear();
    server.answers['login.certificate'] = refused();
    expect(await runOn(host, 'whoami')).toMatchObject({ code: 4, stdout: '' });
  });

  it('is over when the certificate is refused: no further command tries it, which would count as a failed login', async () => {
    const { host, server, files } = await loggedInByCertificate(0, {
      'session.refresh': new ChatError('unauthenticated', 'over'),
    });
    server.alive.clear();
    server.answers['login.certificate'] = refused();
    const first = await runOn(host, 'whoami');
    expect(first).toMatchObject({ code: 4, stderr: expect.stringContaining(files.certificatePath) });
    expect(await runOn(host, 'whoami')).toMatchObject({ code: 4 });
    expect(called(server, 'login.certificate')).toHaveLength(1);
  });

  it('goes by what another process has got meanwhile, and logs in no second time', async () => {
    const { host, server } = await loggedInByCertificate(0);
    const profile = openProfile(host, address, 'default');
    server.answers['session.refresh'] = new ChatError('unauthenticated', 'over');
    server.alive.clear();
    server.answers['login.certificate'] = async () => {
      const kept = await profile.load();
      if (kept) await profile.save({ ...kept, session_token: 'cs1_other' });
      server.alive.set('cs1_other', 'alice');
      throw new ChatError('unavailable', 'the first of two');
    };
    const both = await Promise.all([runOn(host, 'whoami'), runOn(host, 'whoami')]);
    expect(both.map(({ code }) => code).sort()).toEqual([0, 3]);
    expect(called(server, 'login.certificate')).toHaveLength(1);
  });

  it('cannot prove its owner when its files have gone, and says so', async () => {
    const { host, files } = await loggedInByCertificate(0, { 'account.totp-off': { ended_sessions: 0 } });
    await rm(files.keyPath);
    expect(await runOn(host, 'totp', 'off')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the certificate of alice is not here any more'),
    });
  });

  it('stays one after a refresh', async () => {
    const { host, server, shown } = await loggedInByCertificate(0, {
      'session.refresh': openedSession('alice', 'second'),
    });
    server.alive.clear();
    server.alive.set('cs1_second', 'alice');
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect((await runOn(host, 'whoami')).code).toBe(0);
    expect(shown.every((certificate) => certificate !== undefined)).toBe(true);
  });

  it('proves its owner where a password is asked for, unless one is given', async () => {
    const { host, server } = await loggedInByCertificate(0, {
      'account.totp-off': { ended_sessions: 0 },
    });
    expect((await runOn(host, 'totp', 'off')).code).toBe(0);
    expect(called(server, 'account.totp-off')).toMatchObject([{ params: { proof: { certificate: true } } }]);
    expect(host.asked).toEqual([]);
  });

  it('sessions: lists certificates below, and revokes one by its id', async () => {
    const id = '01a1fe44-0502-7489-985f-8bff7605f649';
    const { host, server } = await loggedInByCertificate(0, {
      'session.revoke': new ChatError('not-found', 'there is no such session', { field: 'id' }),
      'certificate.revoke': { ended_sessions: ['session-1', 'session-2'] },
      'certificate.list': {
        certificates: [
          {
            id,
            kind: 'issued',
            label: 'laptop',
            fingerprint: 'SHA256:abc',
            created_at: '2026-11-21T05:00:00.000Z',
            last_used_at: null,
            expires_at: '2027-02-19T05:00:00.000Z',
            revoked_at: null,
            current: true,
          },
        ],
      },
    });
    expect((await runOn(host, 'sessions')).stdout).toBe(
      `${id}\tlaptop\tcertificate\tSHA256:abc\t2026-11-21 05:00:00\t-\t2027-02-19 05:00:00\tthis one\n`,
    );
    expect(JSON.parse((await runOn(host, 'sessions', '-o', 'json')).stdout)).toMatchObject({
      certificate: { id },
    });
    expect(await runOn(host, 'sessions', 'revoke', id)).toMatchObject({
      code: 0,
      stderr: 'revoked the certificate, and ended 2 sessions that it had opened\n',
    });
    server.answers['certificate.revoke'] = new ChatError('not-found', 'none', { field: 'id' });
    expect(await runOn(host, 'sessions', 'revoke', id)).toMatchObject({
      code: 6,
      stderr: 'chat: there is no such session and no such certificate\n',
    });
  });
});

describe('chat sessions revoke', () => {
  const id = (last: string) => `01a1fe44-0502-7489-985f-8bff7605f64${last}`;
  const session = (last: string, other: object = {}) => ({ id: id(last), device: `pc ${last}`, ...other });
  const certificate = (last: string, other: object = {}) => ({
    id: id(last),
    label: '',
    revoked_at: null,
    expires_at: new Date(testNow + 1).toISOString(),
    current: false,
    ...other,
  });
  const says = (name: string, last: string) =>
    `${name} still logs in without being asked: chat sessions revoke ${id(last)} ends that\n`;

  it('names the certificates with which the ended would log in again', async () => {
    const { host } = await loggedInByCertificate(0, {
      'session.list': {
        sessions: [
          session('0', { current: true, certificate: id('a') }),
          session('1', { certificate: id('b') }),
          // It has got its certificate after a login with the password.
          session('2', { device: 'desk' }),
          session('3', { device: '' }),
          session('4', { certificate: id('a') }),
        ],
      },
      'session.revoke': ({ id: one }) => ({ revoked: [one ?? ''] }),
      'certificate.list': {
        certificates: [
          certificate('a', { current: true, label: 'pc 0' }),
          certificate('b'),
          certificate('c', { expires_at: null, label: 'desk' }),
        ],
      },
    });
    const revoke = async (...which: string[]) => (await runOn(host, 'sessions', 'revoke', ...which)).stderr;
    expect(await revoke(id('1'))).toBe(`ended 1 session\n${says('a certificate', 'b')}`);
    expect(await revoke(id('2'))).toBe(`ended 1 session\n${says('the certificate "desk"', 'c')}`);
    expect(await revoke(id('3'))).toBe('ended 1 session\n');
    // Another machine has a copy of this one's.
    expect(await revoke(id('4'))).toBe(`ended 1 session\n${says('the certificate "pc 0"', 'a')}`);
    expect(await revoke('--others')).toBe(
      `ended 1 session\n${says('a certificate', 'b')}${says('the certificate "desk"', 'c')}`,
    );
    // Whoever ends the own session need not be told with what it was opened.
    expect(await revoke(id('0'))).toBe('ended 1 session, this one: alice is logged out here\n');
  });

  it('says nothing of one that logs nobody in any more, and counts more than three', async () => {
    const listing = async (...certificates: object[]) => {
      const { host } = await loggedInByCertificate(0, {
        'session.revoke': { revoked: [id('a')] },
        'certificate.list': { certificates },
      });
      return (await runOn(host, 'sessions', 'revoke', '--others')).stderr;
    };
    const over = [
      certificate('a', { revoked_at: new Date(testNow).toISOString() }),
      certificate('b', { expires_at: new Date(testNow).toISOString() }),
    ];
    expect(await listing(...over)).toBe('ended 1 session\n');
    const good = ['c', 'd', 'e'].map((last) => certificate(last));
    expect((await listing(...over, ...good)).split('\n')).toHaveLength(5);
    expect(await listing(...good, certificate('f'))).toBe(
      'ended 1 session\n4 certificates still log in without being asked: chat sessions lists them, chat sessions revoke ID ends one\n',
    );
  });
});

describe('chat reset --certificate', () => {
  it('puts a new key in the place of a lost one, by a code', async () => {
    const { host, server, files } = await world({
      'account.reset-password': async ({ certificate_request }) => await sign(String(certificate_request)),
    });
    const code = 'C1WY-G3TF-A3AT-A132-HX12-PJT1-ZTGC';
    await writeFile(`${host.stateHome}/code`, code, { mode: 0o600 });
    const outcome = await runOn(
      host,
      'reset',
      'alice',
      '--certificate',
      '--code-file',
      `${host.stateHome}/code`,
    );
    expect(outcome).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('chat login alice --certificate'),
    });
    expect(called(server, 'account.reset-password')).toMatchObject([{ params: { username: 'alice', code } }]);
    expect(await files.load()).toMatchObject({ isDue: false });
    expect(await runOn(host, 'reset', 'alice', '--certificate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a new key needs a code'),
    });
  });

  it('uses no code up where the key cannot be kept', async () => {
    const { host, server } = await world();
    const code = `${host.stateHome}/code`;
    await writeFile(code, 'C1WY-G3TF-A3AT-A132-HX12-PJT1-ZTGC', { mode: 0o600 });
    // A file in the place of the directory stops also who may write everywhere.
    await mkdir(`${host.stateHome}/chat`, { recursive: true });
    await writeFile(`${host.stateHome}/chat/certificates`, '');
    const outcome = await runOn(host, 'reset', 'alice', '--certificate', '--code-file', code);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('certificates') });
    expect(called(server, 'account.reset-password')).toEqual([]);
  });

  it.each(['--password-stdin', '--password-file=pw'])('takes no %s', async (flag) => {
    const { host, server } = await world();
    const [name] = flag.split('=');
    expect(await runOn(host, 'reset', 'alice', '--certificate', '--code-file', 'code', flag)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`--certificate and ${name} ${noPassword}`),
    });
    expect(server.calls).toEqual([]);
  });
});
