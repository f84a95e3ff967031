import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { converse, type Lab, nextLine, openLab, type RunningServer } from './support/lab.ts';

let lab: Lab;
let server: RunningServer;
const to = (port: number): Record<string, string> => ({ CHAT_SERVER: `127.0.0.1:${port}` });

beforeAll(async () => {
  lab = openLab();
  server = await lab.serve(['--line-wait', '1']);
  expect((await lab.run('alice', ['register', 'alice'], { env: to(server.port) })).code).toBe(0);
  expect((await lab.run('bob', ['register', 'bob'], { env: to(server.port) })).code).toBe(0);
}, 60_000);
afterAll(() => lab.close());

const alice = (args: readonly string[], input: string | Uint8Array = '') =>
  lab.run('alice', args, { input, env: to(server.port) });

describe('what a person gets wrong', () => {
  it('is told the same for an unknown user and a wrong password (ASVS 6.3.8)', async () => {
    const env = { ...to(server.port), CHAT_PASSWORD: 'not the password' };
    const wrong = await lab.run('stranger', ['login', 'alice'], { env });
    const unknown = await lab.run('stranger', ['login', 'nobody'], { env });
    expect(wrong.code).toBe(4);
    expect(wrong.err).toContain('unknown user or wrong secret');
    const withoutTrust = (text: string): string => text.replace(/^trusting .*\n/, '');
    expect({ ...unknown, err: withoutTrust(unknown.err) }).toEqual({
      ...wrong,
      err: withoutTrust(wrong.err),
    });
  });

  it.each([
    ['a name that is taken', ['register', 'bob'], 7, 'username: taken already'],
    ['a bad name', ['register', 'no spaces'], 2, 'a name has 1 to 32 characters'],
    ['an unknown room', ['send', '#nowhere', 'x'], 6, 'there is no such room'],
    ['an unknown user', ['send', '@nobody', 'x'], 6, 'there is no such user'],
    ['text where a target should be', ['send', '@bob hi'], 2, 'is no #room or @user'],
    ['an unknown command', ['sned'], 2, 'did you mean send?'],
    ['a password as an argument', ['login', 'alice', '--password', 'x'], 2, '--password'],
  ])('%s', async (_what, args, code, text) => {
    const outcome = await alice(args);
    expect(outcome.err).toContain(text);
    expect(outcome.code).toBe(code);
    expect(outcome.out).toBe('');
    expect(outcome.err).not.toMatch(/\n\s+at /);
  });

  it('a password of 5 characters is refused, one of 6 is taken', async () => {
    const register = (name: string, password: string) =>
      lab.run(name, ['register', name], { env: { ...to(server.port), CHAT_PASSWORD: password } });
    const short = await register('five', '12345');
    expect(short.code).toBe(2);
    expect(short.err).toContain('6');
    expect((await register('six', '123456')).code).toBe(0);
  });

  it('a room that one is not in is forbidden', async () => {
    expect((await alice(['join', '#closed', '--create'])).code).toBe(0);
    const outcome = await lab.run('bob', ['send', '#closed', 'x'], { env: to(server.port) });
    expect(outcome.code).toBe(5);
    expect(outcome.err).toContain('join the room first');
  });

  it('a message of 16,384 bytes is stored, one of 16,385 is refused before it is sent, and so is one that is not UTF-8', async () => {
    expect((await alice(['send'], 'x'.repeat(16_384))).code).toBe(0);
    const long = await alice(['send'], 'x'.repeat(16_385));
    expect(long.code).toBe(2);
    expect(long.err).toContain('16');
    const odd = await alice(['send'], new Uint8Array([0x61, 0xff, 0x62]));
    expect(odd.code).toBe(2);
    expect(odd.err).toContain('UTF-8');
  });

  it('a server that is not there', async () => {
    const outcome = await lab.run('alice', ['login', 'alice'], { env: to(1) });
    expect(outcome.code).toBe(3);
    expect(outcome.err).toContain('connection refused');
  });

  it('a state directory that cannot be written', async () => {
    const file = join(lab.directory, 'a-file');
    writeFileSync(file, '');
    const outcome = await lab.run('carol', ['register', 'carol'], {
      env: { ...to(server.port), XDG_STATE_HOME: join(file, 'state') },
    });
    expect(outcome.code).toBe(2);
    expect(outcome.err).toContain(file);
  });
});

describe('what arrives at the line door', () => {
  const errorOf = (line: string): unknown => {
    const { id, error } = JSON.parse(line) as {
      id: unknown;
      error: { code: number; data: { code: string; field?: string } };
    };
    return { id, number: error.code, ...error.data };
  };

  it.each([
    ['not JSON', '{nonsense\n', { id: null, number: -32_700, code: 'invalid' }],
    ['nested 30,000 deep', `{"a":${'['.repeat(30_000)}\n`, { id: null, number: -32_600, code: 'invalid' }],
    [
      'an unknown method',
      '{"jsonrpc":"2.0","id":1,"method":"x.y"}\n',
      { id: 1, number: -32_601, code: 'unsupported' },
    ],
    [
      'a call before login',
      '{"jsonrpc":"2.0","id":1,"method":"account.me"}\n',
      { id: 1, number: -32_001, code: 'unauthenticated' },
    ],
    [
      'a token of the wrong kind',
      `{"jsonrpc":"2.0","id":1,"method":"login.resume","params":{"session_token":"cr1_${'A'.repeat(43)}"}}\n`,
      { id: 1, number: -32_001, code: 'unauthenticated' },
    ],
    [
      'a field that is not known',
      '{"jsonrpc":"2.0","id":1,"method":"login.resume","params":{"session_token":"x","y":1}}\n',
      { id: 1, number: -32_602, code: 'invalid', field: 'y' },
    ],
  ])('%s is answered with its code, and the connection goes on', async (_what, line, error) => {
    const ping = '{"jsonrpc":"2.0","id":"after","method":"ping"}\n';
    // A ping is answered at once, before a call that was made earlier.
    const said = (await converse(server.port, line + ping, 2)).trim().split('\n');
    expect(said).toHaveLength(2);
    const pong = '{"jsonrpc":"2.0","id":"after","result":{}}';
    expect(said).toContain(pong);
    expect(errorOf(said.find((answer) => answer !== pong) ?? '')).toEqual(error);
  });

  it.each([
    ['an overlong line', `{"a":"${'x'.repeat(140_000)}"}\n`, 'too-large'],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d, 0x0a]), 'invalid'],
    ['a line that is never finished', '{"jsonrpc":"2.0",', 'timeout'],
  ])('%s is answered, and the connection closed', async (_what, bytes, code) => {
    const said = await converse(server.port, bytes);
    expect(said.trim().split('\n')).toHaveLength(1);
    expect(errorOf(said)).toMatchObject({ id: null, code });
  });

  it('leaves the server able to take a normal login', async () => {
    expect(await alice(['whoami'])).toEqual({ code: 0, out: 'alice\n', err: '' });
  });
});

describe('a server that is not to be trusted', () => {
  it('is refused when its key has changed, until its fingerprint is given', async () => {
    const first = await lab.serve([], join(lab.directory, 'one'));
    const { port } = first;
    expect((await lab.run('dora', ['register', 'dora'], { env: to(port) })).code).toBe(0);
    await first.stop();
    const second = await lab
      .serve(['--listen', `127.0.0.1:${port}`], join(lab.directory, 'two'))
      .catch(() => undefined);
    if (!second) return; // Somebody else took the port meanwhile.
    const outcome = await lab.run('dora', ['whoami'], { env: to(port) });
    expect(outcome.code).toBe(9);
    expect(outcome.err).toContain(second.fingerprint);
    await second.stop();
  });

  it.each([
    ['cost 4', { cost: 4 }],
    ['cost 31', { cost: 31 }],
    ['another suite', { suite: 'CHAT-SCRAM-ROT13-1' }],
  ])('gets no verifier when it asks for %s', async (_what, answer) => {
    const seen: string[] = [];
    const fake = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const { id, method } = JSON.parse(line) as { id: unknown; method: string };
          seen.push(method);
          const result = {
            realm: 'r',
            cost: 10,
            suite: 'CHAT-SCRAM-BCRYPT-1',
            server_key: 'AAAA',
            ...answer,
          };
          socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
        }
      });
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    const { port } = fake.address() as { port: number };
    const outcome = await lab.run('erik', ['register', 'erik'], {
      env: { CHAT_SERVER: `plain://127.0.0.1:${port}` },
    });
    fake.close();
    expect(outcome.code).toBe(9);
    expect(seen).toEqual(['account.begin-register']);
  });
});

describe('a session', () => {
  it('that has expired is exit code 4, and a login makes a new one', async () => {
    const brief = await lab.serve(['--session-idle', '1', '--refresh', '1'], join(lab.directory, 'brief'));
    expect((await lab.run('fay', ['register', 'fay'], { env: to(brief.port) })).code).toBe(0);
    // The tail is closed by the server when its session ends, and cannot go on.
    const tail = lab.start('fay', ['tail'], { env: to(brief.port) });
    tail.stdout?.resume();
    tail.stderr?.resume();
    const [code] = (await once(tail, 'close')) as [number | null];
    expect(code).toBe(4);
    const outcome = await lab.run('fay', ['send', 'x'], { env: to(brief.port) });
    expect(outcome.code).toBe(4);
    expect(outcome.err).toContain('chat login');
    await brief.stop();
  });
});

describe('a data directory', () => {
  it('serves one server: a second one names the first and exits with 3', async () => {
    await expect(lab.serve([], server.data)).rejects.toThrow(
      new RegExp(
        `^exit 3: chat: the data directory .* is in use by another chat server \\(process ${server.child.pid}`,
      ),
    );
  });

  it('that cannot be made is exit code 3 and named', async () => {
    const file = join(lab.directory, 'not-a-directory');
    writeFileSync(file, '');
    await expect(lab.serve([], join(file, 'data'))).rejects.toThrow(
      /^exit 3: chat: the data directory .* cannot be/,
    );
  });

  it('with a database from a newer version, or a damaged one, is refused and left as it is', async () => {
    const data = join(lab.directory, 'newer');
    await (await lab.serve([], data)).stop();
    const path = join(data, 'chat.db');
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 999');
    database.close();
    const before = readFileSync(path);
    await expect(lab.serve([], data)).rejects.toThrow(/^exit 3: chat: .*newer.*999/);
    expect(readFileSync(path).equals(before)).toBe(true);

    const damaged = join(lab.directory, 'damaged');
    mkdirSync(damaged);
    copyFileSync('package.json', join(damaged, 'chat.db'));
    await expect(lab.serve([], damaged)).rejects.toThrow(
      /^exit 3: chat: .*chat\.db.* (damaged|not a database)/,
    );
    expect(readFileSync(join(damaged, 'chat.db')).equals(readFileSync('package.json'))).toBe(true);
  });
});

describe('a full disk', () => {
  it('refuses what it cannot store, goes on reading, and takes messages again when there is room', async ({
    skip,
  }) => {
    const mount = join(lab.directory, 'small-disk');
    mkdirSync(mount);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      skip('NOT RUN: mounting a small file system needs root');
    }
    try {
      const small = await lab.serve(['--messages-per-second', '0'], join(mount, 'data'));
      const env = to(small.port);
      expect((await lab.run('gil', ['register', 'gil'], { env })).code).toBe(0);
      expect((await lab.run('gil', ['send', 'before'], { env })).code).toBe(0);
      const ballast = join(mount, 'ballast');
      expect(() => writeFileSync(ballast, Buffer.alloc(8_000_000))).toThrow(/ENOSPC/);
      const lines = `${'x'.repeat(16_000)}\n`.repeat(50);
      const full = await lab.run('gil', ['send', '--lines', '--timeout', '1'], { env, input: lines });
      expect(full.code).toBe(3);
      expect(full.err).toContain("the server's disk is full");
      const read = await lab.run('gil', ['tail', '--since', 'all', '--once', '-o', 'json'], { env });
      expect(read.out).toContain('"text":"before"');
      rmSync(ballast);
      expect((await lab.run('gil', ['send', 'after'], { env })).code).toBe(0);
      expect(await small.stop()).toBe(0);
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});

describe('a pipe that closes', () => {
  it('ends a tail quietly', async () => {
    const tail = lab.start('alice', ['tail', '#lobby', '--since', 'all'], { env: to(server.port) });
    let err = '';
    tail.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    await nextLine(tail);
    tail.stdout?.destroy();
    const exited = once(tail, 'exit') as Promise<[number | null]>;
    await alice(['send', 'one more']);
    expect((await exited)[0]).toBe(0);
    expect(err).toBe('');
  });
});
