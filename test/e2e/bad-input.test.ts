import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { maxLineBytes } from '../../src/core/policy.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';
import { between } from './support/tampering.ts';
import { Wire } from './support/wire.ts';

/** How a command ends that was refused: nothing on stdout, one line on stderr. */
const refused = (code: number, text: string) => ({ code, out: '', err: `chat: ${text}\n` });
const wireError = (code: number, message: string, data: object) => ({
  jsonrpc: '2.0',
  id: 1,
  error: { code, message, data },
});
/** The same with the id of a line that was no request. */
const lineError = (code: number, message: string, data: object) =>
  JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message, data } });

/** What `chat` keeps of the one login of a person. */
function savedLogin({ home }: Person): { session_token: string; refresh_token: string } {
  const directory = join(home, 'state', 'chat', 'logins');
  const names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  expect(names).toHaveLength(1);
  return JSON.parse(readFileSync(join(directory, String(names[0])), 'utf8'));
}

const everybody = new World(afterAll);
/** Where alice has an account, for who needs no server alone. */
let server: ServerProcess;
/** Alice at home, logged in there. */
let alice: Person;
beforeAll(async () => {
  // Some of the tests are failed logins of hers.
  server = await everybody.servePeople(['--free-failed-logins', '0']);
  alice = await everybody.person('alice', server).register();
});

describe('names and passwords', () => {
  it('an unknown user and a wrong password are refused in the same words, with exit 4', async () => {
    const spy = await between(server);
    const guesser = new World().person('guesser', spy.server);
    const wrong = await guesser.run(['login', 'alice']);
    const unknown = await guesser.run(['login', 'nobody']);
    expect(wrong).toEqual(refused(4, 'unknown user or wrong secret'));
    expect(unknown).toEqual(wrong);
    const refusal = {
      code: -32001,
      message: 'unknown user or wrong secret',
      data: { code: 'unauthenticated' },
    };
    expect(spy.answers('login.finish')).toEqual([refusal, refusal]);
  });

  it('a name that is taken is exit 7, and no error with --ignore-exists', async () => {
    expect(await alice.run(['register', 'alice'])).toEqual(refused(7, 'this username is taken already'));
    expect(await alice.run(['register', 'alice', '--ignore-exists'])).toEqual({
      code: 0,
      out: '',
      err: 'alice exists; logged in\n',
    });
  });

  it('a bad name and a password of 5 characters are exit 2, and the server is not asked', async () => {
    const world = new World();
    const alice = world.person('alice', 'plain://127.0.0.1:1');
    expect(await alice.run(['register', 'Not A Name'])).toEqual(
      refused(
        2,
        "NAME: a name has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit",
      ),
    );
    expect(await alice.run(['register', 'alice'], '', { CHAT_PASSWORD: '12345' })).toEqual(
      refused(2, 'password: it has at least 6 characters'),
    );
  });

  it('a password of 6 characters is taken', async () => {
    const erik = new World().person('erik', server);
    const env = { CHAT_PASSWORD: '123456' };
    expect(await erik.succeed(['register', 'erik'], '', env)).toBe('');
    expect(await erik.succeed(['login', 'erik'], '', env)).toBe('');
  });

  it('text where a target should be, an unknown command and a password as an argument are exit 2', async () => {
    const alice = new World().person('alice', 'plain://127.0.0.1:1');
    expect(await alice.run(['send', '@bob hi'])).toEqual(
      refused(
        2,
        `"@bob hi" is no #room or @user; text that begins so needs a target before it: chat send '#lobby' '@bob hi'`,
      ),
    );
    const unknown = await alice.run(['sned']);
    expect([unknown.code, unknown.out]).toEqual([2, '']);
    expect(unknown.err).toContain('did you mean send?');
    const shown = await alice.run(['login', 'alice', '--password', 'x']);
    expect([shown.code, shown.out]).toEqual([2, '']);
    expect(shown.err).toContain('--password');
  });
});

describe('messages and rooms', () => {
  it('an unknown room or person is exit 6, and a room that one is not in exit 5', async () => {
    const bob = await new World().person('bob', server).register();
    await alice.does(['join', 'ops', '--create']);
    for (const args of [
      ['send', '#none', 'hi'],
      ['tail', '#none', '--once'],
      ['tail', '#none'],
    ]) {
      expect(await bob.run(args)).toEqual(refused(6, 'there is no room #none'));
    }
    expect(await bob.run(['send', '@nobody', 'hi'])).toEqual(refused(6, 'there is no user @nobody'));
    for (const args of [
      ['send', '#ops', 'hi'],
      ['tail', '#ops', '--once'],
      ['tail', '#ops'],
    ]) {
      expect(await bob.run(args)).toEqual(refused(5, 'you are not in #ops: join it first'));
    }
  });

  it('a message of 16,384 bytes is stored whole; one of 16,385 is refused by the command and by the server', async () => {
    // Two bytes a character: bytes are counted, not characters.
    const most = 'é'.repeat(8_192);
    expect(await alice.run(['send', '@alice'], most)).toEqual({ code: 0, out: '', err: '' });
    expect(await alice.run(['send', '@alice'], `${most}x`)).toEqual(
      refused(2, 'the text has 16385 bytes; a message has at most 16384'),
    );
    const wire = await Wire.open(server.port);
    await wire.call('login.resume', { session_token: savedLogin(alice).session_token });
    expect(await wire.call('message.send', { to: '@alice', text: `${most}x` })).toEqual(
      wireError(-32006, 'text: a message has at most 16384 bytes', { code: 'too-large', field: 'text' }),
    );
    expect(await alice.json(['tail', '--once', '@alice'])).toMatchObject([{ seq: 1, text: most }]);
  });

  it('a text that is not UTF-8 is exit 2', async () => {
    expect(await alice.run(['send'], Buffer.of(0x61, 0xff, 0x62))).toEqual(
      refused(2, 'stdin is not UTF-8 text'),
    );
  });
});

describe('lines on the wire', () => {
  const world = new World(afterAll);
  let server: ServerProcess;
  beforeAll(async () => {
    server = await world.serve(['--line-wait', '1']);
  });

  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n';
  const pong = '{"jsonrpc":"2.0","id":1,"result":{"time":"…","protocol":1}}';
  /** A line whose times are whatever the clock said. */
  const untimed = (line: string | undefined) => line?.replace(/"time":"[^"]*"/, '"time":"…"');

  it.each([
    [
      'has an unknown method',
      '{"jsonrpc":"2.0","id":7,"method":"x.y"}\n',
      '{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"there is no operation of this name: x.y","data":{"code":"unsupported"}}}',
    ],
    [
      'comes before the login',
      '{"jsonrpc":"2.0","id":7,"method":"account.me"}\n',
      '{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"log in first","data":{"code":"unauthenticated"}}}',
    ],
    [
      'has an unknown field',
      '{"jsonrpc":"2.0","id":7,"method":"login.resume","params":{"session_token":"x","y":1}}\n',
      '{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"y: there is no such field here","data":{"code":"invalid","field":"y"}}}',
    ],
    ['is not JSON', '{nope}\n', lineError(-32700, 'not JSON', { code: 'invalid' })],
    [
      'nests 30,000 deep',
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`,
      lineError(-32600, 'nested deeper than 64 levels', { code: 'invalid' }),
    ],
    [
      'is a batch, but not the first',
      `${ping}[${ping.trim()}]\n`,
      `${pong}\n${lineError(-32600, 'batches are not served: send one request per line', { code: 'invalid' })}`,
    ],
  ])('one that %s is answered, and the next is served', async (_what, line, answer) => {
    const wire = await Wire.open(server.port);
    wire.write(line);
    const answers = answer.split('\n');
    for (const expected of answers) expect(untimed(await wire.line())).toBe(expected);
    wire.write(ping);
    expect(untimed(await wire.line())).toBe(pong);
  });

  it.each([
    [
      'is not UTF-8',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from(`"}\n${ping}`)]),
      lineError(-32700, 'the line is not UTF-8', { code: 'invalid' }),
    ],
    [
      'is too long and finished',
      Buffer.from(`{"a":"${'x'.repeat(maxLineBytes)}"}\n${ping}`),
      lineError(-32006, 'a line has at most 131072 bytes', { code: 'too-large' }),
    ],
    [
      'is too long and not finished',
      Buffer.from(`{"a":"${'x'.repeat(maxLineBytes)}`),
      lineError(-32006, 'a line has at most 131072 bytes', { code: 'too-large' }),
    ],
    [
      'is never finished',
      Buffer.from('{"jsonrpc":"2.0",'),
      lineError(-32010, 'a line was not finished within 1 second', { code: 'timeout' }),
    ],
    ['never says what it is', Buffer.from('hel'), 'error: the first line was not finished within 1 second'],
  ])('one that %s is answered, and the connection closed', async (_what, bytes, answer) => {
    const wire = await Wire.open(server.port);
    wire.write(bytes);
    expect(await wire.rest()).toEqual([answer]);
  });
});

describe('tokens', () => {
  it('one of the wrong kind is refused like one that was made up', async () => {
    const { session_token, refresh_token } = savedLogin(alice);
    const wire = await Wire.open(server.port);
    const refusal = wireError(-32001, 'the session is unknown, expired or revoked', {
      code: 'unauthenticated',
    });
    expect(await wire.call('login.resume', { session_token: refresh_token })).toEqual(refusal);
    expect(await wire.call('login.resume', { session_token: `cs1_${'A'.repeat(43)}` })).toEqual(refusal);
    expect(await wire.call('session.refresh', { refresh_token: session_token })).toEqual(refusal);
    expect(await alice.run(['whoami'], '', { CHAT_TOKEN: refresh_token })).toEqual(
      refused(4, 'CHAT_TOKEN is not a session token that is alive on this server'),
    );
    expect(await alice.succeed(['whoami'])).toBe('alice\n');
  });

  it('a tail whose session expires ends with exit 4, and a login makes a new one', async () => {
    const world = new World();
    const server = await world.serve(['--session-idle', '1', '--refresh', '1']);
    const alice = await world.person('alice', server).register({ hasBackup: false });
    const { code, out, err } = await alice.run(['tail']);
    expect([code, out, err.trim().split('\n').at(-1)]).toEqual([
      4,
      '',
      // On a slow machine it has expired before the tail follows, and nobody tells why.
      expect.stringMatching(
        /^chat: (chat:\S+: the session has ended: it has expired|the session has ended on chat:\S+); log in with: chat login$/,
      ),
    ]);
    expect((await alice.run(['login', 'alice'])).code).toBe(0);
  });

  it('one that has expired closes its connection, and is exit 4', async () => {
    const world = new World();
    const server = await world.serve(['--session-idle', '1', '--refresh', '1']);
    const alice = await world.person('alice', server).register({ hasBackup: false });
    const { session_token } = savedLogin(alice);
    const wire = await Wire.open(server.port);
    const resumed = await wire.call('login.resume', { session_token });
    // On a slow machine it is over already.
    if ('result' in (resumed as object)) {
      expect(await wire.rest()).toEqual([
        '{"jsonrpc":"2.0","method":"session-ended","params":{"reason":"expired"}}',
      ]);
    }
    expect(await (await Wire.open(server.port)).call('login.resume', { session_token })).toEqual(
      wireError(-32001, 'the session is unknown, expired or revoked', { code: 'unauthenticated' }),
    );
    expect(await alice.run(['whoami'], '', { CHAT_TOKEN: session_token })).toEqual(
      refused(4, 'CHAT_TOKEN is not a session token that is alive on this server'),
    );
    expect(await alice.run(['whoami'])).toEqual(
      refused(4, `the session has ended on chat://${server.address}; log in with: chat login`),
    );
  });
});

describe('a server', () => {
  it('that is not there is exit 3', async () => {
    const world = new World();
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    listener.close();
    await once(listener, 'close');
    const alice = world.person('alice', `127.0.0.1:${port}`);
    const absent = refused(3, `chat://127.0.0.1:${port}: cannot connect: connection refused`);
    expect(await alice.run(['login', 'alice'])).toEqual(absent);
    const env = { CHAT_TOKEN: `cs1_${'A'.repeat(43)}` };
    expect(await alice.run(['send', 'hi', '--timeout', '0.2'], '', env)).toMatchObject({ code: 3, out: '' });
    expect(await alice.run(['tail'], '', env)).toEqual(absent);
  });

  it('whose key has changed is exit 9 for every command, and nothing is sent to it', async () => {
    const world = new World();
    const first = await world.servePeople();
    const alice = await world.person('alice', first).register();
    await first.stop();
    const second = await world.serve([], { listen: first.address, data: world.path('other') });
    expect(second.fingerprint).not.toBe(first.fingerprint);
    const changed = refused(
      9,
      `the key of chat://${first.address} has changed: ${join(alice.home, 'state', 'chat', 'known_servers.json')} has ${first.fingerprint}, the server shows ${second.fingerprint}; somebody may be in between. If its operator confirms the new key, pass --fingerprint ${second.fingerprint} once`,
    );
    for (const args of [['whoami'], ['send', 'hi'], ['tail'], ['login', 'alice'], ['register', 'alice2']]) {
      expect(await alice.run(args)).toEqual(changed);
    }
    expect(await alice.run(['whoami', '--fingerprint', second.fingerprint])).toEqual(
      refused(4, `the session has ended on chat://${first.address}; log in with: chat login`),
    );
    const log = await second.stop();
    expect(
      log.err.split('\n').filter((line) => /audit operation=(?!login\.resume|session\.refresh)/.test(line)),
    ).toEqual([]);
  });
});

describe('somebody between client and server', () => {
  const replaced = (result: Record<string, unknown>, from: RegExp, to: string) => {
    const message = String(result.message);
    expect(message).toMatch(from);
    return { ...result, message: message.replace(from, to) };
  };
  const distrust = 'the server cannot be trusted with a login: ';

  it.each([4, 31])('who makes the login cost %i gets no proof: exit 9', async (cost) => {
    const elsewhere = new World().person('alice', server);
    const thief = await between(server, (method, result) =>
      method === 'login.begin' ? replaced(result, /,i=10,/, `,i=${cost},`) : result,
    );
    expect(await elsewhere.run(['login', 'alice', '--server', thief.server])).toEqual(
      refused(9, `${distrust}it asks for cost ${cost}, which is not within 10 to 14`),
    );
    expect(thief.called).toEqual(['login.begin']);
  });

  it('who asks for another suite gets no verifier: exit 9', async () => {
    const thief = await between(server, (method, result) =>
      method === 'account.begin-register' ? { ...result, suite: 'CHAT-SCRAM-ROT13-1' } : result,
    );
    expect(await new World().person('alice', thief.server).run(['register', 'alice'])).toEqual(
      refused(9, `${distrust}it asks for a verifier that this client does not know`),
    );
    expect(thief.called).toEqual(['account.begin-register']);
  });

  it.each([4, 31])('who makes the registration cost %i gets no verifier: exit 9', async (cost) => {
    const thief = await between(server, (method, result) =>
      method === 'account.begin-register' ? { ...result, cost } : result,
    );
    expect(await new World().person('alice', thief.server).run(['register', 'alice'])).toEqual(
      refused(9, `${distrust}it asks for cost ${cost}, which is not within 10 to 14`),
    );
    expect(thief.called).toEqual(['account.begin-register']);
  });

  it('who strips the offered binding, with the stolen key of the server, gets no proof: exit 9', async () => {
    const elsewhere = new World().person('alice', server);
    const thief = await between(
      server,
      (method, result) => {
        if (method !== 'login.begin') return result;
        expect(result.bindings).toEqual(['tls-exporter']);
        return { ...result, bindings: [] };
      },
      'chat',
    );
    expect(
      await elsewhere.run(['login', 'alice', '--server', thief.server, '--fingerprint', server.fingerprint]),
    ).toEqual(refused(9, `${distrust}what it offers was changed on the way`));
    expect(thief.called).toEqual(['login.begin']);
  });

  it('who only relays, with the stolen key of the server, is found out by the binding: exit 4', async () => {
    const elsewhere = new World().person('alice', server);
    const relay = await between(server, undefined, 'chat');
    expect(
      await elsewhere.run(['login', 'alice', '--server', relay.server, '--fingerprint', server.fingerprint]),
    ).toEqual(refused(4, 'the login does not fit this connection (channel-bindings-dont-match)'));
    expect(relay.called).toEqual(['login.begin', 'login.finish']);
  });

  it.each([
    ['no signature', 'carol', undefined],
    ['a wrong signature', 'dave', `v=${Buffer.alloc(32).toString('base64')}`],
  ])('who has %s gets no session: exit 4, and the server is told', async (_what, name, message) => {
    const person = await new World().person(name, server).register({ hasBackup: false });
    await person.does(['logout']);
    const thief = await between(server, (method, result) =>
      method === 'login.finish' ? { ...result, message } : result,
    );
    expect(await person.run(['login', name, '--server', thief.server])).toEqual(
      refused(4, 'the server could not prove that it knows this account'),
    );
    expect(thief.called).toEqual(['login.begin', 'login.finish', 'login.reject']);
    expect(readdirSync(join(person.home, 'state', 'chat', 'logins'))).toEqual([]);
    await person.succeed(['login', name]);
    expect(await person.json(['sessions'])).toHaveLength(1);
  });
});

describe('files', () => {
  it('a state directory that cannot be made is exit 2 before the server is asked for anything', async () => {
    const world = new World();
    const spy = await between(server);
    const elsewhere = world.person('alice', spy.server);
    const file = world.path('a-file');
    writeFileSync(file, '');
    expect(await elsewhere.run(['register', 'alice'], '', { XDG_STATE_HOME: file })).toEqual(
      refused(2, `${file}/chat/logins: cannot make the directory (ENOTDIR)`),
    );
    expect(spy.called).toEqual([]);
  });

  it('a state directory that cannot be written is exit 2 before the server is asked for anything', async (context) => {
    const world = new World();
    const spy = await between(server);
    const elsewhere = world.person('alice', spy.server);
    const state = world.path('read-only');
    mkdirSync(join(state, 'chat', 'logins'), { recursive: true, mode: 0o700 });
    if (!mounted(state, '1m', ['chat', 'chat/logins'])) {
      context.skip('SKIPPED: no right to mount a tmpfs');
      return;
    }
    execFileSync('mount', ['-o', 'remount,ro', state]);
    expect(await elsewhere.run(['register', 'alice'], '', { XDG_STATE_HOME: state })).toEqual(
      refused(
        2,
        `${state}/chat/logins: cannot write there (EROFS); check whose the directory is, or name another with XDG_STATE_HOME and XDG_CONFIG_HOME`,
      ),
    );
    expect(spy.called).toEqual([]);
  });

  it('a database from a newer version is exit 3 and left as it is', async () => {
    const world = new World();
    const server = await world.serve();
    await server.stop();
    const file = join(server.data, 'chat.db');
    const bytes = readFileSync(file);
    bytes.writeUInt32BE(99, 60); // user_version
    writeFileSync(file, bytes);
    expect(await world.startServer().ended).toEqual(
      refused(
        3,
        `${file} was written by a newer chat (its format is 99, this one knows ${migrations.length}): start that version, or restore an older backup`,
      ),
    );
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it.each([
    ['that is no database', 0, 'file is not a database'],
    ['whose pages are damaged', 100, 'database disk image is malformed'],
  ])('a database %s is exit 3 and left as it is', async (_what, from, why) => {
    const world = new World();
    const server = await world.serve();
    await server.stop();
    const file = join(server.data, 'chat.db');
    const bytes = readFileSync(file);
    bytes.fill(0xa5, from);
    writeFileSync(file, bytes);
    expect(await world.startServer().ended).toEqual(
      refused(3, `${file} is damaged (${why}): restore a backup; the file was left as it is`),
    );
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('a data directory that cannot be made is exit 3', async () => {
    const world = new World();
    const file = world.path('a-file');
    writeFileSync(file, '');
    expect(await world.startServer([], { data: join(file, 'data') }).ended).toEqual(
      refused(
        3,
        `the data directory ${file}/data cannot be written (ENOTDIR): give another with --data, or change its permissions`,
      ),
    );
  });

  it('a full disk stops sends with exit 3, not reads, and is over when there is room again', async (context) => {
    const world = new World();
    const disk = world.path('disk');
    mkdirSync(disk);
    if (!mounted(disk, '4m')) {
      context.skip('SKIPPED: no right to mount a tmpfs');
      return;
    }
    const server = await world.serve([], { data: join(disk, 'data') });
    const alice = await world.person('alice', server).register({ hasBackup: false });
    const tail = alice.start(['tail', '#lobby', '-o', 'json', '--verbose']);
    await tail.says(/following/);
    const text = 'x'.repeat(16_000);
    const stored = ['before'];
    await alice.succeed(['send', 'before']);
    fill(join(disk, 'ballast'));

    let failed = await alice.run(['send', '--timeout', '2'], `0 ${text}`);
    // What the log has allotted already is still used.
    for (let count = 0; failed.code === 0 && count < 100; count++) {
      stored.push(`${count} ${text}`);
      failed = await alice.run(['send', '--timeout', '2'], `${count + 1} ${text}`);
    }
    expect(failed).toEqual(refused(3, "the server's disk is full: nothing was stored, try again later"));
    const history = async () =>
      (await alice.json<{ text: string }>(['tail', '#lobby', '--since', 'all', '--once'])).map(
        (one) => one.text,
      );
    expect(await history()).toEqual(stored);
    expect(await alice.succeed(['whoami'])).toBe('alice\n');

    rmSync(join(disk, 'ballast'));
    expect(await alice.run(['send', 'after'])).toEqual({ code: 0, out: '', err: '' });
    expect(await history()).toEqual([...stored, 'after']);
    for (const [index, expected] of [...stored, 'after'].entries()) {
      expect(await tail.json()).toMatchObject({ seq: index + 1, text: expected });
    }
    expect((await server.stop()).code).toBe(0);
  });
});

/** Puts a small file system at `place` until the test's end, with these directories in it; false, and loudly so, when the system does not let us. */
function mounted(place: string, size: string, directories: readonly string[] = []): boolean {
  const { status, stderr, error } = spawnSync(
    'mount',
    ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) {
    console.warn(`SKIPPED: no small disk to be had, since mount failed: ${error?.message ?? stderr.trim()}`);
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', place]));
  for (const directory of directories) mkdirSync(join(place, directory), { mode: 0o700 });
  return true;
}

/** Writes a file until there is no room left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4_096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
