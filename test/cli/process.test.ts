import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ownAccount } from '../client/support/own-account.ts';
import { compileCache } from '../support/compile-cache.ts';
import { temporaryDirectory } from './support/fake-host.ts';
import { lineServer } from './support/line-server.ts';

const root = join(import.meta.dirname, '..', '..');
const entry = join(root, 'src', 'cli', 'chat.ts');

async function start(
  argv: readonly string[],
  env: Record<string, string> = {},
  nodeFlags: readonly string[] = [],
) {
  const stateHome = await temporaryDirectory();
  return spawn(process.execPath, [...nodeFlags, entry, ...argv], {
    env: {
      PATH: process.env.PATH,
      XDG_STATE_HOME: stateHome,
      HOME: stateHome,
      CHAT_SYSTEM_CONFIG: devNull,
      ...compileCache,
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function outcomeOf(child: Awaited<ReturnType<typeof start>>) {
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ]);
  return { code, signal, stdout, stderr };
}

const event = (seq: number) => ({
  to: '#lobby',
  seq,
  id: `m${seq}`,
  sender: 'sam',
  sent_at: '2019-11-01T09:30:00.000Z',
  text: `message ${seq}`,
});

/** What following #lobby from its beginning answers. */
const lobbyFrom0 = { following: [{ to: '#lobby', after: 0 }], at: '2026-11-21T06:00:00.000Z' };

/** A room that has `stored` messages, and goes on as long as `live` says. */
const roomOf = (stored: number) =>
  lineServer({
    'conversation.follow': (_params, push) => {
      setImmediate(() => {
        for (let seq = 1; seq <= stored; seq++) push('message', event(seq));
      });
      return lobbyFrom0;
    },
  });

const asAlice = (url: string) => ({ CHAT_SERVER: url, CHAT_TOKEN: 'cs1_alice' });

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = child.stdout === null ? [''] : await once(child.stdout, 'data');
  return String(chunk);
}

describe('the process', () => {
  it('prints help on stderr and exits 2 when nothing is asked of it', async () => {
    const outcome = await outcomeOf(await start([]));
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Exit codes:') });
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(await outcomeOf(await start(['--version']))).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  it('ends by itself although the writer of its stdin lives on', async () => {
    const child = await start(['send', '--lines', '--timeout', '0.05'], {
      CHAT_SERVER: 'plain://127.0.0.1:1',
      CHAT_TOKEN: 'cs1_x',
    });
    child.stdin.on('error', () => {}).write('one\n');
    expect(await outcomeOf(child)).toMatchObject({ code: 3, stdout: '' });
  });

  it('finds no server: exit 3, one line, no stack', async () => {
    const outcome = await outcomeOf(
      await start(['whoami'], { CHAT_SERVER: 'plain://127.0.0.1:1', CHAT_TOKEN: 'cs1_x' }),
    );
    expect(outcome).toEqual({
      code: 3,
      signal: null,
      stdout: '',
      stderr: 'chat: plain://127.0.0.1:1: cannot connect: connection refused\n',
    });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'that follows is ended by %s with exit %i, and what was printed stays',
    async (signal, exit) => {
      const { url } = await roomOf(1);
      const child = await start(['tail', '#lobby'], asAlice(url));
      const line = await firstLine(child);
      child.kill(signal);
      expect({ ...(await outcomeOf(child)), line }).toEqual({
        code: exit,
        signal: null,
        stdout: '',
        stderr: '',
        line: '2019-11-01 09:30:00 sam: message 1\n',
      });
    },
  );

  it.runIf(process.platform === 'linux')(
    'whose output does not fit on the disk says so, exit 2',
    async () => {
      const full = await open('/dev/full', 'w');
      try {
        const child = spawn(process.execPath, [entry, '--version'], { stdio: ['ignore', full.fd, 'pipe'] });
        const { stderr } = child;
        if (stderr === null) throw new Error('stderr is a pipe');
        const [said, [code]] = await Promise.all([text(stderr), once(child, 'close')]);
        expect({ code, said }).toEqual({
          code: 2,
          said: 'chat: cannot write the output (ENOSPC): its disk is full\n',
        });
      } finally {
        await full.close();
      }
    },
  );

  it.runIf(process.platform === 'linux')('whose output fits in part alone does not end with 0', async () => {
    const out = join(await temporaryDirectory(), 'out');
    // What is over the limit is not written; what tries once more is ended by SIGXFSZ.
    const words = ['-c', 'out=$1; shift; ulimit -c 0; ulimit -f 8; "$@" >"$out"', 'sh', out];
    const child = spawn('sh', [...words, process.execPath, entry, 'man'], { stdio: 'ignore' });
    expect((await once(child, 'close'))[0]).not.toBe(0);
    expect((await readFile(out)).length).toBe(8 * 512);
  });

  it('without a home directory takes the root directory for it', async () => {
    const env = { HOME: '', XDG_STATE_HOME: '' };
    const { code, stdout } = await outcomeOf(await start(['config', 'path'], env));
    expect({ code, stdout }).toEqual({ code: 0, stdout: '/.config/chat/config.yaml\n' });
  });

  it('is ended by SIGTERM although its reader does not read', async () => {
    const { url } = await roomOf(20_000);
    const child = await start(['tail', '#lobby', '--verbose'], asAlice(url));
    await once(child.stderr, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it('does not wait for an answer that never comes, beyond --timeout', async () => {
    const { url } = await lineServer({ 'message.history': () => undefined });
    const child = await start(['tail', '#lobby', '--once', '--timeout', '0.5'], asAlice(url));
    expect(await outcomeOf(child)).toMatchObject({
      code: 10,
      stdout: '',
      stderr: 'chat: time is over after 0.5 s: 0 messages printed\n',
    });
  });

  it('whose reader has gone ends quietly with exit 0', async () => {
    const { url } = await roomOf(20_000);
    const child = await start(['tail', '#lobby'], asAlice(url));
    await firstLine(child);
    child.stdout.destroy();
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('sends a message from a pipe and tells where it was stored', async () => {
    const stored = { id: 'm1', seq: 1, sent_at: '2019-11-01T09:30:00.000Z' };
    const { url, calls } = await lineServer({ 'message.send': () => stored });
    const child = await start(['send', '#bob', '--key', 'k', '-o', 'json'], asAlice(url));
    child.stdin.end('two\nlines\n');
    expect(await outcomeOf(child)).toMatchObject({
      code: 0,
      stdout: `${JSON.stringify({ ...stored, to: '#bob' })}\n`,
      stderr: '',
    });
    expect(calls).toEqual([
      { method: 'login.resume', params: { session_token: 'cs1_alice' } },
      { method: 'message.send', params: { to: '#bob', text: 'two\nlines', key: 'k' } },
    ]);
  });

  it('sends lines over one connection and tells of each in order', async () => {
    let seq = 0;
    const { url, calls } = await lineServer({
      'message.send': () => {
        seq += 1;
        return { id: `m${seq}`, seq, sent_at: '2019-11-01T09:30:00.000Z' };
      },
    });
    const child = await start(['send', '--lines', '--key', 'k', '-o', 'json'], asAlice(url));
    child.stdin.end(Array.from({ length: 1_000 }, (_, n) => `line ${n}\n`).join(''));
    const { code, stdout } = await outcomeOf(child);
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(told.map(({ line }) => line)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(calls.filter(({ method }) => method === 'login.resume')).toHaveLength(1);
    expect(calls.filter(({ method }) => method === 'message.send')).toHaveLength(1_000);
  });
});

describe('what a client command loads', () => {
  async function loadedBy(
    argv: readonly string[],
    env: Record<string, string>,
    stdin = '',
  ): Promise<string[]> {
    const log = join(await temporaryDirectory(), 'modules');
    const preload = join(import.meta.dirname, 'support', 'log-modules.ts');
    const child = await start(argv, { ...env, MODULE_LOG: log }, ['--import', preload]);
    child.stdin.on('error', () => {}).end(stdin);
    const { code, stderr } = await outcomeOf(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return (await readFile(log, 'utf8')).trimEnd().split('\n');
  }

  const heavy =
    /node_modules\/(?!yargs|yargs-parser|cliui|y18n|escalade|get-caller-file|string-width|strip-ansi|ansi-regex|ansi-styles|wrap-ansi|emoji-regex|get-east-asian-width|uuid)/;

  /** What a client needs at a login alone, what it needs for private messages alone, and what it never needs. */
  const foreign =
    /\/src\/(server\/|core\/(operations|login|codecs|e2ee|crypto\/(stretch|scram))|client\/(keys\/(?!no-keys)|login|challenge))/;

  it('is yargs, uuid and its own few files, not the server, zod, sql.js, the prompts, bcryptjs, chalk or encryption', async () => {
    const stored = { id: 'm1', seq: 1, sent_at: '2019-11-01T09:30:00.000Z' };
    const { url } = await lineServer({
      'message.send': () => stored,
      'account.me': () => ownAccount('alice'),
      'conversation.follow': (_params, push) => {
        setImmediate(() => push('message', event(1)));
        return lobbyFrom0;
      },
    });
    for (const argv of [
      ['send', 'hi'],
      ['send', '--lines'],
      ['whoami'],
      ['tail', '#lobby', '--count', '1'],
    ]) {
      const loaded = await loadedBy(argv, asAlice(url), 'hi\n');
      expect(loaded.filter((module) => heavy.test(module))).toEqual([]);
      expect(loaded.filter((module) => foreign.test(module))).toEqual([]);
      const ownCommands = loaded.filter((module) => /\/cli\/commands\/(?!index)/.test(module));
      expect(ownCommands.map((module) => module.replace(/^.*\//, ''))).toEqual([`${argv[0]}.ts`]);
    }
  });

  it('is no command at all for --help', async () => {
    const loaded = await loadedBy(['--help'], {});
    expect(loaded.filter((module) => heavy.test(module) || foreign.test(module))).toEqual([]);
    expect(loaded.filter((module) => /\/cli\/commands\/(?!index)/.test(module))).toEqual([]);
  });

  it('is YAML too when there is a settings file, and not for contexts', async () => {
    const { url } = await lineServer({ 'account.me': () => ownAccount('alice') });
    const home = await temporaryDirectory();
    const directory = join(home, 'chat');
    await mkdir(directory);
    const env = { CHAT_TOKEN: 'cs1_alice', XDG_CONFIG_HOME: home, CHAT_CONTEXT: 'work' };
    await writeFile(
      join(directory, 'contexts.json'),
      JSON.stringify({ contexts: { work: { server: url } } }),
    );
    const packages = async () =>
      (await loadedBy(['whoami'], env))
        .filter((module) => heavy.test(module))
        .map((module) => /node_modules\/([^/]+)/.exec(module)?.[1]);
    expect(await packages()).toEqual([]);
    await writeFile(join(directory, 'config.yaml'), 'quiet: true\n');
    expect([...new Set(await packages())].sort()).toEqual(['fastest-levenshtein', 'yaml']);
  });
});
