import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOneTimeCode } from '../../src/core/one-time-code.ts';
import { secretOf, wrongCodeAt } from '../core/support/second-factor.ts';
import { codeOf } from './support/second-factor.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';

let server: ServerProcess;
let world: World;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  server = await world.serve(['--free-failed-logins', '0']);
}, 60_000);
afterAll(async () => {
  for (const close of closers) await close();
});

/** Some commands, one after the other, on a machine that may have other work. */
const longMs = 300_000;

/** The files in which a person's client keeps its key and its certificate. */
function filesOf({ name, home }: Person): { key: string; certificate: string } {
  const directory = join(home, 'state', 'chat', 'certificates', `chat_127.0.0.1_${server.port}`);
  return { key: join(directory, `${name}.key`), certificate: join(directory, `${name}.crt`) };
}

/** A program to its end, its input closed; everything that it said on stdout. */
function output(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 30_000 }, (_error, stdout) => resolve(stdout));
    // Who has ended already reads nothing.
    child.stdin?.on('error', () => {}).end(input);
  });
}

/** A certificate from elsewhere, as openssl makes it. */
function foreign(name: string): { key: string; cert: string; args: string[] } {
  const [key, cert] = [world.path(`${name}.pem`), world.path(`${name}.crt`)];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-subj',
      '/CN=anybody',
      '-days',
      '2',
    ],
    { stdio: 'ignore' },
  );
  return { key, cert, args: ['--cert', cert, '--key', key] };
}

const login = (person: Pick<Person, 'name'>, ...certificate: string[]): Promise<string> =>
  output('curl', [
    '-sk',
    ...certificate,
    `https://${server.address}/api/auth/certificate`,
    '-H',
    'Content-Type: application/json',
    '-d',
    JSON.stringify({ username: person.name }),
  ]);

describe('certificates, with the built program', { timeout: longMs }, () => {
  it('an account without a password: its key stays here, and everything goes by it', async () => {
    const alice = world.person('alice', server);
    const registered = await alice.run(['register', 'alice', '--certificate'], '', {
      CHAT_PASSWORD: undefined,
    });
    const files = filesOf(alice);
    expect(registered).toMatchObject({ code: 0, out: '' });
    expect(registered.err).toContain(
      `the key is ${files.key}, and its certificate ${files.certificate}: keep a copy of both`,
    );
    expect(registered.err).toContain('registered and logged in as alice');
    for (const path of Object.values(files)) expect(statSync(path).mode & 0o777).toBe(0o600);
    const shown = execFileSync('openssl', ['x509', '-in', files.certificate, '-noout', '-text']).toString();
    expect(shown).toMatch(/Subject: CN ?= ?alice/);
    expect(shown).toContain('TLS Web Client Authentication');
    const authority = join(server.data, 'ttpkeys', 'ca.crt');
    expect(
      execFileSync('openssl', [
        'verify',
        '-purpose',
        'sslclient',
        '-CAfile',
        authority,
        files.certificate,
      ]).toString(),
    ).toContain('OK');

    const noPassword = { CHAT_PASSWORD: undefined };
    expect((await alice.run(['account'], '', noPassword)).out).toContain('none: certificates log in');
    await alice.succeed(['send', 'hello'], '', noPassword);
    await alice.succeed(['logout'], '', noPassword);
    expect((await alice.run(['whoami'], '', noPassword)).code).toBe(4);
    expect(await alice.run(['login', 'alice', '--certificate'], '', noPassword)).toMatchObject({ code: 0 });
    const sessions = await alice.succeed(['sessions'], '', noPassword);
    expect(sessions).toMatch(/\tcertificate\tSHA256:\S+\t.*\tthis one\n$/);

    // What is not the key logs nobody in, and says no more than that.
    const refused = await login(alice);
    expect(refused).toContain('this connection has shown no certificate that logs in to this account');
    const other = foreign('other');
    expect(await login(alice, ...other.args)).toBe(refused);
    expect(await login(alice, '--cert', files.certificate, '--key', files.key)).toContain(
      '"session_token":"cs1_',
    );
    expect(await login({ name: 'nobody' }, '--cert', files.certificate, '--key', files.key)).toBe(refused);
  });

  it('a session that is over comes back by itself, and revoking the certificate ends that for good', async () => {
    const bob = await world.person('bob', server).register();
    const issued = await bob.run(['login', 'bob', '--certificate']);
    expect(issued).toMatchObject({
      code: 0,
      err: expect.stringContaining('logged in as bob, with a certificate'),
    });
    const noPassword = { CHAT_PASSWORD: undefined };
    const other = world.person('bob', server);
    const elsewhere = { XDG_STATE_HOME: world.path('bob-elsewhere') };
    await other.succeed(['login', 'bob'], '', elsewhere);
    expect((await other.run(['sessions', 'revoke', '--others'], '', elsewhere)).err).toMatch(
      /^ended 1 session\nthe certificate ".+" still logs in without being asked: chat sessions revoke [0-9a-f-]{36} ends that\n$/,
    );
    expect(await bob.run(['whoami'], '', noPassword)).toMatchObject({ code: 0, out: 'bob\n' });

    const rows = (await other.succeed(['sessions', '-o', 'json'], '', elsewhere)).trim().split('\n');
    const { certificate } = JSON.parse(rows.at(-1) ?? '');
    expect(certificate).toMatchObject({ kind: 'issued', revoked_at: null });
    const revoked = await other.run(['sessions', 'revoke', certificate.id], '', elsewhere);
    expect(revoked).toMatchObject({
      code: 0,
      err: expect.stringContaining('revoked the certificate, and ended'),
    });
    expect((await bob.run(['whoami'], '', noPassword)).code).toBe(4);
    const again = await bob.run(['login', 'bob', '--certificate'], '', noPassword);
    expect(again).toMatchObject({ code: 4, err: expect.stringContaining('--certificate --new') });
    expect(await bob.run(['login', 'bob', '--certificate', '--new'])).toMatchObject({ code: 0 });
    expect(await bob.run(['whoami'], '', noPassword)).toMatchObject({ code: 0 });
  });

  it('proves its owner where a password would, and an administrator’s code replaces a lost key', async () => {
    const root = await world.person('root', server).register({ hasKeys: false });
    await server.running.says(/chat admin claim \S+/);
    const [, code = ''] = /chat admin claim (\S+)/.exec(server.running.err) ?? [];
    await root.succeed(['admin', 'claim', code]);
    const carol = world.person('carol', server);
    const noPassword = { CHAT_PASSWORD: undefined };
    await carol.succeed(['register', 'carol', '--certificate'], '', noPassword);
    const files = filesOf(carol);
    const email = await carol.run(['account', 'email', 'carol@example.org'], '', noPassword);
    expect(email).toMatchObject({ code: 0 });

    const lost = readFileSync(files.key, 'utf8');
    const resetCode = await root.succeed(['admin', 'reset', 'carol']);
    const reset = await carol.run(['reset', 'carol', '--code-stdin', '--certificate'], resetCode, noPassword);
    expect(reset).toMatchObject({ code: 0 });
    expect(readFileSync(files.key, 'utf8')).not.toBe(lost);
    expect((await carol.run(['whoami'], '', noPassword)).code).toBe(0);
    const listed = await root.json<{ id: string; revoked_at: string | null }>([
      'admin',
      'certificates',
      'carol',
    ]);
    expect(listed.map(({ revoked_at }) => revoked_at === null)).toEqual([false, true]);
    const [, good] = listed;
    expect(await root.run(['admin', 'certificates', 'revoke', 'carol', good?.id ?? ''])).toMatchObject({
      code: 0,
      err: expect.stringContaining('revoked a certificate of carol'),
    });
    expect((await carol.run(['whoami'], '', noPassword)).code).toBe(4);
  });

  it('private messages go by keys: made at its registration, and brought to another machine by the recovery key', async () => {
    const noPassword = { CHAT_PASSWORD: undefined };
    const dora = world.person('dora', server);
    Object.assign(dora.env, noPassword);
    const recovery = world.path('dora-recovery');
    const registered = await dora.run(['register', 'dora', '--certificate', '--recovery-file', recovery]);
    expect(registered).toMatchObject({
      code: 0,
      err: expect.stringContaining('without it a lost machine loses them'),
    });
    const evan = await world.person('evan', server).register();
    await dora.succeed(['send', '@evan', 'from dora']);
    await evan.does(['send', '@dora', 'from evan']);
    const shown = async (person: Person, to: string) =>
      (await person.does(['tail', to, '--once'])).split('\n').map((line) => line.slice(20));
    const both = (other: string) => [
      `dora: @evan [${other}] from dora`,
      `evan: @dora [${other}] from evan`,
      '',
    ];
    expect(await shown(evan, '@dora')).toEqual(both('encrypted'));
    expect(await shown(dora, '@evan')).toEqual(both('encrypted'));

    // Another machine has a copy of the two files, and nothing else.
    const laptop = world.person('dora-laptop', server);
    Object.assign(laptop.env, noPassword);
    const here = filesOf(dora);
    const directory = join(laptop.home, 'state', 'chat', 'certificates', `chat_127.0.0.1_${server.port}`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const path of Object.values(here)) cpSync(path, join(directory, basename(path)));
    const locked = await laptop.run(['login', 'dora', '--certificate']);
    expect(locked).toMatchObject({
      code: 0,
      err: expect.stringContaining('chat keys restore brings them by their recovery key'),
    });
    expect((await shown(laptop, '@evan'))[1]).toMatch(/^evan: @dora \[encrypted: this machine has no keys/);
    writeFileSync(world.path('dora-wrong'), newOneTimeCode());
    const restore = (file: string) => laptop.run(['keys', 'restore', '--recovery-file', file]);
    expect(await restore(world.path('dora-wrong'))).toEqual({
      code: 2,
      out: '',
      err: 'chat: this is not the recovery key of this account: nothing was restored\n',
    });
    expect(await restore(recovery)).toMatchObject({ code: 0 });
    expect(await shown(laptop, '@evan')).toEqual(both('encrypted'));

    // A new recovery key and a new epoch take no more than the certificate.
    const key = await laptop.succeed(['keys', 'backup']);
    expect(key.trim()).toMatch(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);
    expect(await laptop.run(['keys', 'rotate'])).toMatchObject({
      code: 0,
      err: expect.stringContaining('epoch 2 has begun'),
    });
    await evan.does(['send', '@dora', 'for the new epoch']);
    expect((await shown(laptop, '@evan')).at(-2)).toBe('evan: @dora [encrypted] for the new epoch');

    // With a password from now on, a machine needs the name and that alone.
    const password = 'some words of dora';
    writeFileSync(world.path('dora-password'), password);
    await laptop.succeed(['account', 'password', '--new-password-file', world.path('dora-password')]);
    const third = world.person('dora-third', server);
    third.env.CHAT_PASSWORD = password;
    expect(await third.run(['login', 'dora'])).toMatchObject({
      code: 0,
      err: expect.stringContaining('the keys of your private messages are on this machine now'),
    });
    expect((await shown(third, '@evan')).at(-2)).toBe('evan: @dora [encrypted] for the new epoch');
    // The password is to open the backup, so that it is needed however one has logged in.
    expect(await laptop.run(['keys', 'backup'])).toMatchObject({ code: 2, out: '' });
    await laptop.does(['keys', 'backup', '--password-file', world.path('dora-password')]);
    const fourth = world.person('dora-fourth', server);
    fourth.env.CHAT_PASSWORD = password;
    await fourth.does(['login', 'dora']);
    expect((await shown(fourth, '@evan')).at(-2)).toBe('evan: @dora [encrypted] for the new epoch');
  });

  it('a second factor is asked for besides the certificate', async () => {
    const finn = world.person('finn', server);
    finn.env.CHAT_PASSWORD = undefined;
    await finn.does(['register', 'finn', '--certificate']);
    const [begun] = await finn.doesJson<{ secret: string }>(['totp', 'on']);
    const secret = begun?.secret ?? '';
    await finn.does(['totp', 'on', '--otp', codeOf(secret)]);
    await finn.does(['logout']);
    const login = ['login', 'finn', '--certificate'];
    expect(await finn.run(login)).toMatchObject({ code: 11 });
    expect(await finn.run([...login, '--otp', wrongCodeAt(secretOf(secret), Date.now())])).toMatchObject({
      code: 4,
      err: expect.not.stringContaining('expired'),
    });
    expect(await finn.run([...login, '--otp', codeOf(secret, 1)])).toMatchObject({ code: 0 });
  });

  it('one from elsewhere is added by its owner, and logs in from any machine that has its files', async () => {
    const gina = await world.person('gina', server).register();
    const { cert, key } = foreign('gina-card');
    const added = await gina.run(['sessions', 'certificate', 'add', cert, '--key-file', key]);
    expect(added).toMatchObject({ code: 0, err: 'added; it logs in with: chat login gina --certificate\n' });
    const noPassword = { CHAT_PASSWORD: undefined };
    await gina.does(['logout']);
    expect(await gina.run(['login', 'gina', '--certificate'], '', noPassword)).toMatchObject({ code: 0 });
    const laptop = world.person('gina-laptop', server);
    const named = ['--certificate-file', cert, '--key-file', key];
    expect(await laptop.run(['login', 'gina', '--certificate', ...named], '', noPassword)).toMatchObject({
      code: 0,
      err: expect.stringContaining('logged in as gina, with a certificate'),
    });
    expect(await laptop.run(['login', 'hank', '--certificate', ...named], '', noPassword)).toMatchObject({
      code: 4,
      err: expect.stringContaining("may not be this account's"),
    });
    const other = foreign('hank-card');
    const hank = world.person('hank', server);
    const registered = [
      'register',
      'hank',
      '--certificate',
      '--certificate-file',
      other.cert,
      '--key-file',
      other.key,
    ];
    expect(await hank.run(registered, '', noPassword)).toMatchObject({ code: 0 });
    expect(await hank.run(['sessions', 'certificate', 'add', cert, '--key-file', key])).toMatchObject({
      code: 5,
      err: expect.stringContaining('chat account password gives it one'),
    });
  });

  it('one from elsewhere registers and logs in at the slash door, by openssl alone', async () => {
    const { cert, key } = foreign('sam');
    const said = await new Promise<string>((resolve, reject) => {
      const child = execFile(
        'openssl',
        ['s_client', '-quiet', '-connect', server.address, '-cert', cert, '-key', key],
        { timeout: 60_000 },
        (_error, stdout) => resolve(stdout),
      );
      const steps = ['/login sam\n', '@sam hello myself\n', '/exit\n'];
      let seen = '';
      child.on('error', reject);
      child.stdin?.on('error', () => {});
      child.stdout?.on('data', (chunk) => {
        seen += chunk;
        if (seen.endsWith('\n')) child.stdin?.write(steps.shift() ?? '');
      });
      child.stdin?.write('/register sam\n');
    });
    expect(said.split('\n')).toEqual([
      'Registration Succeeded',
      'Authentication Succeeded',
      expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d sam: @sam hello myself$/),
      '',
    ]);
    const cookies = world.path('cookies.txt');
    const page = await output('curl', [
      '-sk',
      '--cert',
      cert,
      '--key',
      key,
      '-c',
      cookies,
      `https://${server.address}/login`,
      '-d',
      'username=sam',
      '-d',
      'certificate=true',
    ]);
    expect(JSON.parse(page)).toMatchObject({ username: 'sam', csrf_token: expect.stringMatching(/^cf1_/) });
  });

  it('a certificate of clear text is none', async () => {
    const dave = world.person('dave', server);
    const plain = { CHAT_SERVER: `plain://${server.address}` };
    expect(await dave.run(['register', 'dave', '--certificate'], '', plain)).toMatchObject({
      code: 2,
      err: expect.stringContaining('--certificate needs TLS'),
    });
  });
});

describe('an operator’s certificate, with the built program', { timeout: longMs }, () => {
  /** The subject of what a server shows, by a connection that stays open. */
  const shownBy = (port: number) =>
    new Promise<{ subject: string; ping(): Promise<string>; close(): void }>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve({
          subject: String(socket.getPeerCertificate().subject.CN),
          ping: () =>
            new Promise((done) => {
              socket.once('data', (data) => done(String(data)));
              socket.write('PING\n');
            }),
          close: () => socket.destroy(),
        });
      });
      socket.on('error', reject);
    });

  function make(name: string, key: string, cert: string): void {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-subj',
        `/CN=${name}`,
        '-days',
        '2',
      ],
      { stdio: 'ignore' },
    );
  }

  it('is shown, read again at SIGHUP without dropping anybody, and kept when the new one does not fit', async () => {
    const own = new World();
    const [key, cert] = [own.path('tls.key'), own.path('tls.crt')];
    make('one.example', key, cert);
    const running = await own.serve(['--tls-cert', cert, '--tls-key', key]);
    const first = await shownBy(running.port);
    expect(first.subject).toBe('one.example');
    const eve = own.person('eve', running);
    await eve.succeed(['register', 'eve', '--certificate'], '', { CHAT_PASSWORD: undefined });

    make('two.example', key, cert);
    running.running.child.kill('SIGHUP');
    await running.running.says(/with the certificates as they are now/);
    const second = await shownBy(running.port);
    expect(second.subject).toBe('two.example');
    expect(await first.ping()).toBe('PONG\n');

    writeFileSync(key, 'no key');
    running.running.child.kill('SIGHUP');
    await running.running.says(/the server goes on with the certificates that it has/);
    const third = await shownBy(running.port);
    expect(third.subject).toBe('two.example');
    for (const one of [first, second, third]) one.close();
    expect((await running.stop()).code).toBe(0);
    expect(existsSync(cert)).toBe(true);

    const refused = await own.startServer(['--tls-cert', cert, '--tls-key', key]).ended;
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining(`--tls-key: ${key} is no private key`),
    });
    const half = await own.startServer(['--tls-cert', cert]).ended;
    expect(half).toMatchObject({ code: 2, err: expect.stringContaining('give --tls-key too') });
  });
});
