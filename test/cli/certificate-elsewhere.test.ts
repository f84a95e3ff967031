import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { isOpenKey, parseNames, readNamed } from '../../src/cli/certificate-elsewhere.ts';
import { ChatError } from '../../src/core/errors.ts';
import { signCertificate, TestKey } from '../core/support/certificates.ts';
import { refusal } from '../core/support/chat.ts';
import { called, dayMs, refused, sign, world } from './support/certificate-world.ts';
import { type Outside, runOn, temporaryDirectory, testNow } from './support/fake-host.ts';

/** Files with these texts in a directory of their own; `mine.crt` is from elsewhere and good at the time of the tests. */
async function files(other: Readonly<Record<string, string>> = {}) {
  const directory = await temporaryDirectory();
  const key = new TestKey();
  const certificate = await signCertificate(key, { notBefore: testNow - dayMs, notAfter: testNow + dayMs });
  const texts = { 'mine.crt': certificate, 'mine.key': key.pem, ...other };
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(directory, name), text, { mode: 0o600 });
  }
  const path = (name: string) => join(directory, name);
  return { directory, path, key, certificate };
}

describe('a certificate from elsewhere', () => {
  it('is read from two files or from one, with those between it and its authority, and nothing else of the file', async () => {
    const { path, key, certificate } = await files();
    const above = await signCertificate(new TestKey());
    await writeFile(path('both.pem'), `words\n${key.pem}${certificate}\n${above}`, { mode: 0o600 });
    const one = await readNamed({ certificate: path('both.pem'), key: path('both.pem') }, testNow);
    expect(one.certificate.match(/BEGIN/g)).toHaveLength(2);
    expect(one.certificate).not.toContain('PRIVATE');
    expect(one).toMatchObject({ key: key.pem, isDue: false, expiresAt: testNow + dayMs });
    const two = await readNamed({ certificate: path('mine.crt'), key: path('mine.key') }, testNow);
    expect(two).toMatchObject({ key: key.pem, path: path('mine.crt') });
  });

  it('is good from the first to the last second of its time, and read without a look at that for a session', async () => {
    const { path } = await files();
    const named = { certificate: path('mine.crt'), key: path('mine.key') };
    for (const edge of [testNow - dayMs, testNow + dayMs]) {
      expect(await readNamed(named, edge)).toMatchObject({ path: path('mine.crt') });
    }
    expect(await refusal(readNamed(named, testNow + dayMs + 1))).toEqual({
      code: 'invalid',
      message: `the certificate: ${path('mine.crt')} has expired at 2026-11-22 06:00:00 UTC`,
    });
    expect(await refusal(readNamed(named, testNow - dayMs - 1))).toMatchObject({
      message: expect.stringContaining('is not valid before 2026-11-20 06:00:00 UTC'),
    });
    expect(await readNamed(named)).toMatchObject({ path: path('mine.crt') });
  });

  it('that cannot be used is refused by the name of its file and by what to do', async () => {
    const key = new TestKey();
    const locked = createPrivateKey(key.pem).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'abc',
    });
    const { path } = await files({
      'locked.key': locked.toString(),
      'old.key':
        '-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n',
      'other.key': key.pem,
      'words.key': 'words',
      'words.crt': '-----BEGIN CERTIFICATE-----\nwords\n-----END CERTIFICATE-----\n',
      'server.crt': await signCertificate(key, {
        use: 'server',
        notBefore: testNow - dayMs,
        notAfter: testNow + dayMs,
      }),
      ...(await weak()),
    });
    await writeFile(path('binary.crt'), Uint8Array.of(0x30, 0x82, 0xff));
    const cases: Array<[certificate: string, key: string, why: string]> = [
      ['none.crt', 'mine.key', `the certificate: cannot read ${path('none.crt')} (ENOENT)`],
      ['mine.crt', 'none.key', `the key: cannot read ${path('none.key')} (ENOENT)`],
      ['mine.crt', '.', `the key: cannot read ${path('.')} (EISDIR)`],
      ['words.crt', 'mine.key', `the certificate: ${path('words.crt')} has no certificate in PEM`],
      ['mine.key', 'mine.key', `the certificate: ${path('mine.key')} has no certificate in PEM`],
      ['binary.crt', 'mine.key', `the certificate: ${path('binary.crt')} is not PEM; openssl pkcs12`],
      ['mine.crt', 'words.key', 'has no private key in PEM; a key on a card cannot be used here'],
      ['mine.crt', 'mine.crt', 'has no private key in PEM: give --key-file'],
      ['mine.crt', 'locked.key', 'has a passphrase, which chat does not ask for: (umask 077; openssl pkey'],
      ['mine.crt', 'old.key', 'has a passphrase'],
      ['mine.crt', 'other.key', `is not the key of the first certificate in ${path('mine.crt')}`],
      ['server.crt', 'other.key', 'is not for TLS clients (clientAuth)'],
      ['weak.crt', 'weak.key', `the key: ${path('weak.key')} is refused by TLS here: ee key too small`],
    ];
    for (const [certificate, keyFile, why] of cases) {
      const reading = readNamed({ certificate: path(certificate), key: path(keyFile) }, testNow);
      expect(await refusal(reading)).toMatchObject({
        code: 'invalid',
        message: expect.stringContaining(why),
      });
    }
  });

  it('is told apart when others on the machine can read its key', async () => {
    const { path } = await files();
    const named = { certificate: path('mine.crt'), key: path('mine.key') };
    expect(await isOpenKey(named)).toBe(false);
    for (const mode of [0o640, 0o604]) {
      await chmod(path('mine.key'), mode);
      expect(await isOpenKey(named)).toBe(true);
    }
  });

  it.each(['words', '7', 'null', '{}', '{"certificate":"/a"}', '{"certificate":"a","key":"/b"}'])(
    'is not named by %s',
    (text) => {
      expect(parseNames(text)).toBeUndefined();
    },
  );
});

/** A certificate over a key that TLS does not take any more. */
async function weak(): Promise<{ 'weak.crt': string; 'weak.key': string }> {
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 1024,
    publicExponent: Uint8Array.of(1, 0, 1),
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=weak',
    notBefore: new Date(testNow - dayMs),
    notAfter: new Date(testNow + dayMs),
    signingAlgorithm: algorithm,
    keys,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    'weak.crt': made.toString('pem'),
    'weak.key': `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  };
}

/** A server that knows the certificate that is shown as one of this kind. */
const listing = (kind: 'foreign' | 'issued') => ({
  'certificate.list': { certificates: [{ kind, current: true }] },
});

/** Alice has a certificate from elsewhere, at a server that knows it. */
async function elsewhere(answers: Parameters<typeof world>[0] = {}, outside: Outside = {}) {
  const at = await world({ ...listing('foreign'), ...answers }, outside);
  const made = await files();
  const flags = ['--certificate-file', made.path('mine.crt'), '--key-file', made.path('mine.key')];
  const run = (...argv: string[]) => runOn(at.host, ...argv, '--no-color');
  const login = (...more: string[]) => run('login', 'alice', '--certificate', ...flags, ...more);
  const kept = () => readdir(dirname(at.files.keyPath)).catch(() => []);
  return { ...at, ...made, flags, run, login, kept };
}

describe('chat login --certificate-file', () => {
  it('logs in with it, copies nothing, and goes by it in later commands and logins', async () => {
    const { login, run, kept, shown, certificate, server } = await elsewhere();
    expect(await login()).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('logged in as alice, with a certificate'),
    });
    expect(await kept()).toEqual(['alice.json']);
    expect((await run('whoami')).code).toBe(0);
    await run('logout');
    expect((await run('login', 'alice', '--certificate')).code).toBe(0);
    expect(new Set(shown.map((text) => text?.trim()))).toEqual(new Set([certificate.trim()]));
    expect(called(server, 'certificate.issue')).toEqual([]);
  });

  it('takes what is in the file at the time: whoever signs it renews it there', async () => {
    const { login, run, shown, key, path } = await elsewhere();
    await login();
    const next = await signCertificate(key, { notBefore: testNow, notAfter: testNow + 2 * dayMs });
    await writeFile(path('mine.crt'), next);
    expect((await run('whoami')).code).toBe(0);
    expect(shown.at(-1)?.trim()).toBe(next.trim());
  });

  it('takes over one that this server has signed, and has it renewed from here', async () => {
    const key = new TestKey();
    const { certificate } = await sign(await key.request(), testNow - 61 * dayMs);
    const at = await elsewhere(listing('issued'));
    await writeFile(at.path('mine.crt'), certificate);
    await writeFile(at.path('mine.key'), key.pem);
    expect((await at.login()).code).toBe(0);
    expect(await at.kept()).toEqual(['alice.crt', 'alice.key']);
    expect((await at.run('whoami')).code).toBe(0);
    expect(called(at.server, 'certificate.issue')).toHaveLength(1);
    expect(await readFile(at.path('mine.crt'), 'utf8')).toBe(certificate);
  });

  it('leaves what was gone by when it is refused, and says how an account gets one', async () => {
    const { login, run, kept, server } = await elsewhere({ 'login.certificate': refused() });
    expect(await login()).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('chat sessions certificate add'),
    });
    expect(await kept()).toEqual([]);
    expect((await run('whoami')).code).toBe(4);
    expect(called(server, 'login.certificate')).toHaveLength(1);
  });

  it('says which file is gone at the next login, and lets a session that is alive go on without', async () => {
    const { login, run, path, shown } = await elsewhere();
    await login();
    await rm(path('mine.key'));
    expect(await run('whoami')).toMatchObject({ code: 0, stdout: 'alice\n' });
    expect(shown.at(-1)).toBeUndefined();
    expect(await run('login', 'alice', '--certificate')).toMatchObject({
      code: 2,
      stderr: `chat: the key: cannot read ${path('mine.key')} (ENOENT)\n`,
    });
  });

  it('gives way to one that is signed here, by --new', async () => {
    const { login, run, kept, shown, certificate } = await elsewhere(
      {},
      { env: { CHAT_PASSWORD: 'secret' } },
    );
    await login();
    expect((await run('login', 'alice', '--certificate', '--new')).code).toBe(0);
    expect(await kept()).toEqual(['alice.crt', 'alice.key']);
    await run('whoami');
    expect(shown.at(-1)?.trim()).not.toBe(certificate.trim());
  });

  it('names a file of names that is damaged', async () => {
    const { login, run, files: kept } = await elsewhere();
    await login();
    await writeFile(join(dirname(kept.keyPath), 'alice.json'), 'words');
    expect(await run('login', 'alice', '--certificate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('alice.json: is damaged (no names of files)'),
    });
  });

  it('warns of a key that others can read', async () => {
    const { login, path } = await elsewhere();
    await chmod(path('mine.key'), 0o644);
    const { code, stderr } = await login();
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(`warning: others on this machine can read ${path('mine.key')}: chmod 600`),
    ]);
  });

  it.each([
    [['login', 'alice', '--certificate-file', 'x'], '--certificate-file is for --certificate'],
    [['login', 'alice', '--certificate', '--key-file', 'x'], '--key-file needs --certificate-file'],
    [['login', 'alice', '--certificate', '--new', '--certificate-file', 'x'], 'cannot be given together'],
    [['register', 'alice', '--certificate-file', 'x'], '--certificate-file is for --certificate'],
    [['register', 'alice', '--certificate', '--key-file', 'x'], '--key-file needs --certificate-file'],
    [
      ['login', 'alice', '--certificate', '--certificate-file', 'x', '--server', 'plain://127.0.0.1:8080'],
      '--certificate needs TLS',
    ],
    [
      ['login', 'alice', '--certificate', '--certificate-file', '/nowhere/x'],
      'cannot read /nowhere/x (ENOENT)',
    ],
  ])('%j is refused before anybody is connected to', async (argv, why) => {
    const { run, server } = await elsewhere();
    expect(await run(...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
    expect(server.opened).toBe(0);
  });
});

describe('chat register --certificate-file', () => {
  it('makes an account over the key of a certificate from elsewhere, which stays where it is', async () => {
    const { run, flags, server, kept, shown, certificate, path } = await elsewhere({
      'account.register': {},
    });
    const outcome = await run('register', 'alice', '--certificate', ...flags);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain(
      `the key is ${path('mine.key')}, and its certificate ${path('mine.crt')}: keep`,
    );
    expect(called(server, 'account.register')).toMatchObject([
      { params: { username: 'alice', certificate: true, certificate_label: 'test-machine' } },
    ]);
    expect(await kept()).toEqual(['alice.json']);
    expect(shown.map((text) => text?.trim())).toEqual([certificate.trim(), certificate.trim()]);
  });
});

describe('chat sessions certificate add', () => {
  const account = (privacy: string, on = false) => ({
    'account.me': { username: 'alice', privacy, second_factor: { on } },
    'certificate.add': { id: 'certificate-1', kind: 'foreign', label: 'card' },
  });
  const env = { CHAT_PASSWORD: 'secret' };

  /** Alice is logged in by her password. */
  async function loggedIn(answers: Parameters<typeof world>[0], outside: Outside = { env }) {
    const at = await elsewhere(answers, outside);
    await runOn(at.host, 'login', 'alice');
    at.shown.length = 0;
    const add = (...more: string[]) =>
      at.run(
        'sessions',
        'certificate',
        'add',
        at.path('mine.crt'),
        '--key-file',
        at.path('mine.key'),
        ...more,
      );
    return { ...at, add };
  }

  it('shows it on a connection of its own, proves the password there, and goes by it at the next login', async () => {
    const { add, run, server, shown, certificate, kept } = await loggedIn(account('private'));
    expect(await add('--name', 'card')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'added; it logs in with: chat login alice --certificate\n',
    });
    expect(shown.map((text) => text?.trim())).toEqual([certificate.trim()]);
    expect(called(server, 'certificate.add')).toMatchObject([
      { params: { label: 'card', proof: { exchange: 'exchange of alice', message: 'proof of secret' } } },
    ]);
    expect(await kept()).toEqual(['alice.json']);
    expect((await run('login', 'alice', '--certificate')).code).toBe(0);
    expect(shown.at(-1)?.trim()).toBe(certificate.trim());
    expect(JSON.parse((await add('-o', 'json')).stdout)).toEqual({
      certificate: { id: 'certificate-1', kind: 'foreign', label: 'card' },
    });
  });

  it('takes the code of a second factor', async () => {
    const { add, server } = await loggedIn(account('private', true));
    expect((await add()).code).toBe(11);
    expect((await add('--otp', '123456')).code).toBe(0);
    expect(called(server, 'certificate.add')).toMatchObject([{ params: { proof: { otp: '123456' } } }]);
  });

  it('is refused to an account that has no password to prove itself with, before it is asked for', async () => {
    const { add, host, server, kept } = await loggedIn(account('certificate'));
    expect(await add()).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('chat account password gives it one'),
    });
    expect([host.asked, called(server, 'certificate.add'), await kept()]).toEqual([[], [], []]);
  });

  it('goes by nothing that was refused: a key that is taken, a file that is none, a server in clear text', async () => {
    const taken = new ChatError('conflict', 'certificate: its key belongs to an account already');
    const { add, run, kept, server } = await loggedIn({ ...account('private'), 'certificate.add': taken });
    expect((await add()).code).toBe(7);
    const opened = server.opened;
    expect((await run('sessions', 'certificate', 'add', '/nowhere/x')).code).toBe(2);
    expect(await add('--server', 'plain://127.0.0.1:8080')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a certificate needs TLS'),
    });
    expect((await run('sessions', 'certificate')).code).toBe(2);
    expect([await kept(), server.opened]).toEqual([[], opened]);
  });

  it('needs a login', async () => {
    const { add, server, run } = await loggedIn(account('private'));
    await run('logout');
    expect((await add()).code).toBe(4);
    expect(called(server, 'certificate.add')).toEqual([]);
  });
});
