import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keptNames, toldOf, unpackData } from '../../scripts/keep-database/kept.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { runHere } from './support/here.ts';
import { chat, type Outcome, type Person, type ServerProcess, World } from './support/server.ts';

const files = mkdtempSync(join(tmpdir(), 'chat-streams-'));
/** Alice's own, so that it can be set any number of times. */
const samePassword = join(files, 'password');
writeFileSync(samePassword, 'correct horse of alice\n');

/** Stands for the id of the session that alice has when the command runs. */
const thisSession = 'THIS-SESSION';

/**
 * A command line of every client command, that can be run any number of times and ends with 0; the talk of most is
 * silenced, so that whatever stands on stderr is about the streams.
 */
const commandLines: Readonly<Record<string, readonly string[]>> = {
  register: ['register', 'alice', '--ignore-exists', '-q'],
  login: ['login', 'alice', '-q', '-o', 'json'],
  logout: ['logout', '--context', 'nowhere', '-q', '-o', 'json'],
  whoami: ['whoami'],
  account: ['account'],
  'account password': [
    'account',
    'password',
    '--open',
    '--new-password-file',
    samePassword,
    '-q',
    '-o',
    'json',
  ],
  'account email': ['account', 'email', '-q'],
  'account export': ['account', 'export', '--file', join(files, 'export.json'), '--force', '-q'],
  // Nobody has this name: no mail is sent.
  reset: ['reset', 'nobody', '-q'],
  send: ['send', 'hello', '-o', 'json'],
  tail: ['tail', '--once'],
  outbox: ['outbox'],
  'outbox ls': ['outbox', 'ls'],
  'outbox send': ['outbox', 'send', '-q', '-o', 'json'],
  'outbox rm': ['outbox', 'rm', '--all', '-q', '-o', 'json'],
  'hash-password': ['hash-password', 'alice', '-q'],
  users: ['users'],
  rooms: ['rooms'],
  search: ['search', 'hello'],
  'room members': ['room', 'members', 'lobby'],
  join: ['join', 'ops', '--create', '-q', '-o', 'json'],
  leave: ['leave', 'ops', '-q', '-o', 'json'],
  sessions: ['sessions'],
  'sessions revoke': ['sessions', 'revoke', '--others', '-q', '-o', 'json'],
  'sessions rename': ['sessions', 'rename', thisSession, 'pc', '-q', '-o', 'json'],
  'admin users': ['admin', 'users'],
  'admin audit': ['admin', 'audit'],
  'admin disable': ['admin', 'disable', 'bob', '-q', '-o', 'json'],
  'admin enable': ['admin', 'enable', 'bob', '-q', '-o', 'json'],
  'admin grant': ['admin', 'grant', 'bob', '-q', '-o', 'json'],
  'admin revoke': ['admin', 'revoke', 'bob', '-q', '-o', 'json'],
  'admin reset': ['admin', 'reset', 'bob', '-q'],
  'admin invite': ['admin', 'invite', '-q'],
  'admin invites': ['admin', 'invites'],
  totp: ['totp'],
  'totp on': ['totp', 'on', '-q'],
  'admin certificates': ['admin', 'certificates', 'bob'],
  keys: ['keys'],
  'keys verify': ['keys', 'verify', 'bob'],
  'keys restore': ['keys', 'restore', '-q', '-o', 'json'],
  'keys rotate': ['keys', 'rotate', '-q', '-o', 'json'],
  'admin stats': ['admin', 'stats'],
  'admin backup': ['admin', 'backup'],
  'admin check': ['admin', 'check'],
  'admin export-store': ['admin', 'export-store', join(files, 'moving'), '--data', join(files, 'stopped')],
  token: ['token'],
  context: ['context'],
  'context ls': ['context', 'ls'],
  'context save': ['context', 'save', 'work', '--server', 'chat.example.org:8080', '-q', '-o', 'json'],
  'context rm': ['context', 'rm', 'work', '--yes', '-q', '-o', 'json'],
  'context select': ['context', 'select', 'default', '-q', '-o', 'json'],
  config: ['config'],
  'config path': ['config', 'path'],
  'config set': ['config', 'set', 'verbose', 'false', '-q', '-o', 'json'],
  'config unset': ['config', 'unset', 'verbose', '-q', '-o', 'json'],
  doctor: ['doctor'],
  completion: ['completion', 'bash'],
  man: ['man'],
  licenses: ['licenses'],
  complete: ['complete', 'bash', '--', 'se'],
  'serve --check': ['serve', '--check'],
  'chat --help': ['--help'],
  'send --help': ['send', '--help'],
  'chat --version': ['--version'],
};

/** What must be there each time. */
const before: Readonly<Record<string, readonly string[]>> = {
  leave: ['join', 'ops', '--create'],
  'context rm': ['context', 'save', 'work', '--server', 'chat.example.org:8080'],
};

/** How a shell gives a command its streams; `"$@"` is the command. */
const surroundings = {
  'as usual': '"$@" </dev/null',
  // `true` has ended before the command begins.
  'without a reader': 'exec 3> >(true); wait $!; "$@" </dev/null >&3 3>&-',
  'with a reader of one line': '"$@" </dev/null | head -n 1; exit $PIPESTATUS',
  'with stdin closed': '"$@" <&-',
  'with stdin and stderr closed': '"$@" <&- 2>&-',
  'with all three closed': '"$@" <&- >&- 2>&-',
  'with stdout on a full disk': '"$@" </dev/null >/dev/full',
  'with stderr on a full disk': '"$@" </dev/null 2>/dev/full',
} as const;

type Surrounding = keyof typeof surroundings;

let server: ServerProcess;
let alice: Person;
let world: World;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  unpackData(
    keptNames().find((name) => toldOf(name).format === migrations.length) ?? '',
    join(files, 'stopped'),
  );
  world = new World((close) => closers.push(close));
  server = await world.servePeople([
    ...['--logins-per-minute', '0', '--registrations-per-hour', '0', '--exports-per-hour', '0'],
    ...['--smtp-url', 'smtp://127.0.0.1:1', '--mail-from', 'chat@example.org'],
  ]);
  alice = await world.person('alice', server).register();
  await server.running.says(/chat admin claim /);
  const [, code = ''] = /chat admin claim (\S+)/.exec(server.running.err) ?? [];
  await alice.does(['admin', 'claim', code]);
  await world.person('bob', server).register();
  await alice.does(['send', 'the first line\nand more']);
  await alice.does(['send', 'the second message']);
});
afterAll(async () => {
  for (const close of closers) await close();
  rmSync(files, { recursive: true });
});

function runIn(surrounding: Surrounding, argv: readonly string[]): Promise<Outcome> {
  const command = ['-c', surroundings[surrounding], 'bash', chat, ...argv];
  return world.start(command, alice.env, '', { program: 'bash' }).ended;
}

/** Makes what the command line of `path` needs each time, and answers it as it is then. */
async function readied(path: string, argv: readonly string[]): Promise<readonly string[]> {
  const needed = before[path];
  if (needed !== undefined) await alice.does(needed);
  if (!argv.includes(thisSession)) return argv;
  const sessions = await alice.doesJson<{ id: string; current: boolean }>(['sessions']);
  const { id = '' } = sessions.find(({ current }) => current) ?? {};
  return argv.map((word) => (word === thisSession ? id : word));
}

async function runCase(path: string, surrounding: Surrounding, argv: readonly string[]): Promise<Outcome> {
  return await runIn(surrounding, await readied(path, argv));
}

const linesOf = (text: string): number => text.split('\n').length - 1;

describe('a client command', () => {
  it('stands in this list, whichever it is', async () => {
    const paths: string[] = [];
    for (const { name, load } of commands) {
      const { subcommands = [] } = await load();
      paths.push(name, ...subcommands.map((subcommand) => `${name} ${subcommand.name}`));
    }
    // The server is none; what a group of commands is called is no command; there is one first
    // administrator; and a second factor needs another code each time.
    const others = ['serve', 'room', 'admin', 'admin claim', 'totp off', 'totp codes', 'admin totp'];
    // The number to compare is told however quiet one is; a recovery key that nobody takes is an error.
    others.push('sessions certificate', 'trust', 'keys backup');
    // An account is erased once, and this server has no terms.
    others.push('account erase', 'account terms');
    // It needs a PostgreSQL: test/cluster/.
    others.push('admin import-store');
    expect(paths.filter((path) => !others.includes(path) && !(path in commandLines))).toEqual([]);
  });

  it.each(Object.entries(commandLines))(
    'ends with 0 and silently when its reader has gone, does its work with streams closed, and says that the disk of its output is full, exit 2, unless it prints nothing: %s',
    async (path, argv) => {
      // What the sources say where nothing is amiss, in this process: a tenth of a program's start. Licenses are the build's.
      const usual =
        path === 'licenses'
          ? await runCase(path, 'as usual', argv)
          : await runHere(await readied(path, argv), alice.env);
      expect(usual).toMatchObject({ code: 0, err: '' });
      expect(await runCase(path, 'without a reader', argv)).toEqual({ code: 0, out: '', err: '' });
      const { code, out } = await runCase(path, 'with stdin and stderr closed', argv);
      expect({ code, lines: linesOf(out) }).toEqual({ code: 0, lines: linesOf(usual.out) });
      expect(await runCase(path, 'with all three closed', argv)).toEqual({ code: 0, out: '', err: '' });
      if (!existsSync('/dev/full')) return;
      // What is asked for JSON here prints nothing as text.
      const text = argv.filter((word) => word !== '-o' && word !== 'json');
      expect(await runCase(path, 'with stdout on a full disk', text)).toEqual(
        usual.out === '' || text.length < argv.length
          ? { code: 0, out: '', err: '' }
          : { code: 2, out: '', err: 'chat: cannot write the output (ENOSPC): its disk is full\n' },
      );
    },
  );

  it.each([['users'], ['config'], ['tail', '--once'], ['--help']])(
    'ends with 0 and silently when one line of it is read: %s',
    async (...argv) => {
      const { code, out, err } = await runIn('with a reader of one line', argv);
      expect({ code, lines: linesOf(out), err }).toEqual({ code: 0, lines: 1, err: '' });
    },
  );
});

describe('talk', () => {
  it.runIf(existsSync('/dev/full'))('that does not fit on its disk stops nothing', async () => {
    const argv = ['send', 'hello', '--verbose', '-o', 'json'];
    const { code, out } = await runIn('with stderr on a full disk', argv);
    expect([code, linesOf(out)]).toEqual([0, 1]);
  });
});

describe('a command line that fails', () => {
  it.each(Object.keys(surroundings) as Surrounding[])(
    'ends with its own exit code, also %s',
    async (surrounding) => {
      expect((await runIn(surrounding, ['send', '@nobody', 'hello'])).code).toBe(6);
      expect((await runIn(surrounding, ['whoami', '--bogus'])).code).toBe(2);
      expect((await runIn(surrounding, [])).code).toBe(2);
    },
  );
});

describe('chat send', () => {
  it('stores every line although nobody reads the answers', async () => {
    const carol = await world.person('carol', server).register({ hasKeys: false });
    await carol.does(['join', 'lines', '--create']);
    const input = Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join('');
    const snippet = `exec 3> >(true); wait $!; "$@" >&3 3>&-`;
    const argv = ['-c', snippet, 'bash', chat, 'send', '#lines', '--lines', '-o', 'json'];
    expect(await world.start(argv, carol.env, input, { program: 'bash' }).ended).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect((await carol.json(['tail', '#lines', '--since', 'all', '--once'])).length).toBe(500);
  });

  it('takes a closed stdin for an empty text, and says so', async () => {
    expect(await runIn('with stdin closed', ['send'])).toEqual({
      code: 2,
      out: '',
      err: 'chat: the text is empty; a message has at least one character\n',
    });
  });
});
