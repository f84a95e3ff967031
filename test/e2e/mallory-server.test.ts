import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { unsafeCharacters } from '../../src/core/escape.ts';
import { runHere } from './support/here.ts';
import { type Answer, type Bent, HostileServer } from './support/hostile-server.ts';
import { type Person, type ServerProcess, World } from './support/server.ts';

/** Hundreds of commands. */
const longMs = 600_000;

let world: World;
let server: ServerProcess;
let hostile: HostileServer;
let alice: Person;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  world = new World((close) => closers.push(close));
  const free = ['--logins-per-minute', '0', '--registrations-per-hour', '0', '--exports-per-hour', '0'];
  server = await world.serve(free);
  hostile = await HostileServer.over(server);
  closers.push(() => hostile.close());
  alice = await world.person('alice', `plain://${hostile.address}`).register();
  const bob = await world.person('bob', `plain://${hostile.address}`).register();
  await server.running.says(/chat admin claim /);
  await alice.does(['admin', 'claim', /chat admin claim (\S+)/.exec(server.running.err)?.[1] ?? '']);
  await alice.does(['join', 'ops', '--create']);
  await alice.does(['send', 'hello all']);
  await alice.does(['send', '@bob', 'hello bob']);
  await bob.does(['send', '@alice', 'hello alice']);
});
afterAll(async () => {
  for (const close of closers) await close();
});

/** A line of every command that asks a server for something; in this order each can be done once. */
const commandLines: readonly (readonly string[])[] = [
  ['whoami'],
  ['account'],
  ['account', 'email'],
  ['account', 'export', '--file', 'EXPORT'],
  ['send', 'hello'],
  ['send', '@bob', 'hello'],
  ['tail', '--once'],
  ['tail', '@bob', '--once', '-o', 'json'],
  ['tail', '--once', '--durable', 'seen'],
  ['search', 'hello'],
  ['users'],
  ['rooms'],
  ['room', 'members', 'lobby'],
  ['join', 'ops'],
  ['sessions'],
  ['sessions', 'revoke', '--others'],
  ['token'],
  ['hash-password', 'alice'],
  ['totp'],
  ['totp', 'on'],
  ['keys'],
  ['keys', 'verify', 'bob'],
  ['trust', 'bob', '--yes'],
  ['doctor'],
  ['complete', 'bash', '--', 'chat', 'room', 'members', ''],
  ['admin', 'users'],
  ['admin', 'audit'],
  ['admin', 'audit', '--verify'],
  ['admin', 'stats'],
  ['admin', 'check'],
  ['admin', 'invite'],
  ['admin', 'invites'],
  ['admin', 'reset', 'bob'],
  ['admin', 'disable', 'bob'],
  ['admin', 'enable', 'bob'],
  ['leave', 'ops'],
  ['keys', 'rotate'],
  ['login', 'alice'],
  ['register', 'zoe'],
  ['logout'],
];

/** Every file below a directory, by its path in it. */
function filesIn(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) files.set(name, readFileSync(path, 'latin1'));
  }
  return files;
}

interface Run {
  /** The command and what was done to it. */
  readonly name: string;
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What the server was told. */
  readonly heard: string;
  readonly files: Map<string, string>;
}

let homes = 0;

/** Runs a command as alice, on a copy of all her files. */
async function run(name: string, args: readonly string[]): Promise<Run> {
  homes += 1;
  const home = world.path(`alice-${homes}`);
  cpSync(alice.home, home, { recursive: true });
  const env = {
    ...alice.env,
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    MARKER_OF_THE_ENVIRONMENT: 'marker-of-the-environment',
  };
  const outcome = await runHere(
    args.map((word) => (word === 'EXPORT' ? join(home, 'export.json') : word)),
    env,
  );
  return { name, ...outcome, heard: hostile.heard, files: filesIn(home) };
}

/** Values that nobody means well who sends them. */
function evils(): readonly unknown[] {
  return [
    null,
    `../../../../../../../../../../../..${world.path('escaped')}`,
    -1,
    '\u001b]0;owned\u0007\u001b[2J\u202e\r\nforged',
    [],
    '',
    {},
    '__proto__',
    1e300,
    'x'.repeat(70_000),
    true,
    'constructor',
  ];
}

/** What stands in a place of a value. */
type Place = readonly (string | number)[];

/** Every place in a value, of a list's the first item's alone. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  const members = Array.isArray(value) ? Object.entries(value.slice(0, 1)) : Object.entries(value);
  return [at, ...members.flatMap(([name, member]) => placesIn(member, [...at, name]))];
}

function replaced(value: unknown, [name, ...rest]: Place, by: unknown): unknown {
  if (name === undefined) return by;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[name] = replaced(copy[name], rest, by);
  return copy;
}

/** An error of a code that no client knows: it is told as a bug of the server's. */
const strangeError = 'an error that is none';

/** All that is done to one call of a command, each with a name. */
function* attacksOn(answer: Answer): Generator<readonly [string, Bent]> {
  if ('error' in answer) return;
  const { result } = answer;
  let turn = 0;
  for (const place of placesIn(result)) {
    // A whole answer is tried with all of them, each part with some, in turns.
    for (let i = 0; i < (place.length === 0 ? evils().length : 2); i++) {
      const evil = evils()[turn++ % evils().length];
      yield [
        `${place.join('.')} = ${JSON.stringify(evil)?.slice(0, 20)}`,
        { result: replaced(result, place, evil) },
      ];
    }
  }
  const own = JSON.stringify(result).slice(1, -1);
  yield [
    '__proto__',
    { raw: `{"jsonrpc":"2.0","id":"ID","result":{"__proto__":{"polluted":1}${own && `,${own}`}}}` },
  ];
  yield ['deep', { raw: `{"jsonrpc":"2.0","id":"ID","result":${'['.repeat(9_999)}${']'.repeat(9_999)}}` }];
  yield ['another id', { raw: '{"jsonrpc":"2.0","id":99999,"result":{}}' }];
  yield ['no JSON', { raw: '{"jsonrpc":' }];
  yield ['bytes', { raw: '\u0000\u0001\u001b[2J' }];
  const error = {
    code: -32_000,
    message: '\u001b[2J\r\nchat: done',
    data: { code: 'conflict', field: '\u001b[1A', error_id: '\u202e' },
  };
  yield ['an error', { error }];
  yield [strangeError, { error: { code: 'x', message: 7, data: { code: '__proto__' } } }];
}

/** What takes long by design: passwords are stretched, and keys are asked for three times, a second apart. */
const isSlow = ([command, what]: readonly string[], method: string) =>
  command === 'register' ||
  command === 'login' ||
  what === 'rotate' ||
  (method === 'keys.get' && (command === 'tail' || command === 'search'));

/** Every answer of every command, attacked; one that many commands ask for in all ways once, and then in a few. */
async function runAll(): Promise<Run[]> {
  const runs: Run[] = [];
  const tried = new Set<string>();
  for (const args of commandLines) {
    const learned = hostile.learn();
    const line = args.join(' ');
    const honest = await run(line, args);
    if (honest.code !== 0) throw new Error(`${line}: ${honest.err}`);
    for (const [key, answer] of learned) {
      const [method = ''] = key.split(' ');
      const every = isSlow(args, method) ? 30 : tried.has(method) ? 15 : 1;
      if (every === 1) tried.add(method);
      for (const [index, [attack, bent]] of [...attacksOn(answer)].entries()) {
        if (index % every !== 0) continue;
        hostile.lie(learned, (called, known) => (called === method ? bent : known));
        // A message is tried again for as long as its sender wants.
        const attacked = args[0] === 'send' ? [...args, '--timeout', '0.05'] : args;
        runs.push(await run(`${line}: ${method}: ${attack}`, attacked));
      }
    }
  }
  return runs;
}

let runs: readonly Run[] = [];
beforeAll(async () => {
  runs = await runAll();
}, longMs);

/** Runs that are wrong in one way. */
const wrongIn = (isWrong: (run: Run) => boolean) =>
  runs
    .filter(isWrong)
    .map(({ name, code, out, err }) => ({ name, code, out: out.slice(0, 300), err: err.slice(0, 300) }));

describe('Mallory cannot crash the client program: as the server', () => {
  it('whatever an answer is made of, each command ends in order, and says so in words of its own', () => {
    expect(runs.length).toBeGreaterThan(400);
    const known: readonly number[] = [0, ...Object.values(exitCodes)];
    // What a server calls a bug of its own is told as one; nothing else is.
    const isBug = ({ code, name }: Run) => code === exitCodes.internal && !name.endsWith(strangeError);
    const isMute = ({ code, out, err }: Run) => code !== 0 && err === '' && out === '';
    const isBare = ({ err }: Run) => /^ +at |TypeError|RangeError|undefined/m.test(err);
    expect(wrongIn((one) => !known.includes(one.code) || isBug(one) || isMute(one) || isBare(one))).toEqual(
      [],
    );
    // A member of that name is no prototype.
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('Mallory cannot use the client program to gain rights: as the server', () => {
  it('nothing that she answers reaches a terminal but as text', () => {
    expect(runs.some(({ out, err }) => (out + err).includes('\\x1b[2J'))).toBe(true);
    expect(
      wrongIn(({ out, err }) => (out + err).replace(/[\n\t]/g, '').search(unsafeCharacters) >= 0),
    ).toEqual([]);
  });
});

describe('Mallory cannot have the client program modify any other file: as the server', () => {
  it('names, ids and realms of hers lead nowhere but to its own few files', () => {
    const here = hostile.address.replace(':', '_');
    const realm = /clientkeys\/alice\.[^/]*\.([0-9a-f]+)\.json$/m.exec(
      [...filesIn(alice.home).keys()].join('\n'),
    )?.[1];
    const own = new Set([
      'export.json',
      'state/chat/known_servers.json',
      `state/chat/logins/default.plain_${here}.json`,
      `state/chat/cursors/seen@alice@default@plain_${here}.json`,
      // New keys are kept before the server is told of them, and after a lost answer.
      ...['alice', 'zoe'].flatMap((name) => {
        const keys = `state/chat/clientkeys/${name}.plain_${here}.${realm}.json`;
        return [keys, `${keys}.pending`];
      }),
    ]);
    const paths = new Set(runs.flatMap(({ files }) => [...files.keys()]));
    expect([...paths].filter((path) => !own.has(path))).toEqual([]);
    const others = readdirSync(world.directory).filter((name) => !/^alice-\d+$/.test(name));
    expect(others.sort()).toEqual(['alice', 'bob', 'data']);
  });
});

describe('Mallory cannot leak or corrupt data in the client program: as the server', () => {
  it('its files stay what they are, or change as a whole', () => {
    const before = filesIn(alice.home);
    const same = (files: Map<string, string>) =>
      [...files].every(([path, content]) => before.get(path) === content) && before.size === files.size;
    const changed = runs.filter(({ files }) => !same(files));
    expect(changed.length).toBeGreaterThan(10);
    const damaged = changed.flatMap(({ name, files }) =>
      [...files].filter(([, content]) => !isJson(content)).map(([path]) => [name, path]),
    );
    expect(damaged).toEqual([]);
    // The keys of private messages are what nobody could bring back.
    const [keys = ''] = [...before.keys()].filter((path) => path.includes('clientkeys/'));
    const identity = (content: string | undefined): unknown => JSON.parse(content ?? '{}').identity;
    expect(identity(before.get(keys))).toMatch(/^[\w-]{43}$/);
    for (const one of runs)
      expect([one.name, identity(one.files.get(keys))]).toEqual([one.name, identity(before.get(keys))]);
  });
});

describe('Mallory must never be shown information of the system by the client program: as the server', () => {
  it('she is told no path, no variable of the environment and no password, whatever she answers', () => {
    const secrets = [
      alice.home,
      process.cwd(),
      'marker-of-the-environment',
      String(alice.env.CHAT_PASSWORD),
      String(process.env.PATH),
      userInfo().homedir,
    ].filter((one) => one.length > 5);
    const said =
      (secret: string) =>
      ({ heard }: Run) =>
        heard.includes(secret) || heard.includes(btoa(secret).slice(0, -3));
    expect(runs.filter(({ heard }) => heard.includes('login.resume')).length).toBeGreaterThan(300);
    for (const secret of secrets) expect(wrongIn(said(secret))).toEqual([]);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
