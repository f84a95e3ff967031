import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CommandEntry, command, type OperandKind } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { type Candidates, findCandidates, type NameSource } from '../../src/cli/completion/candidates.ts';
import { quoteForBash, splitShellWords } from '../../src/cli/completion/shell-words.ts';
import { shells } from '../../src/cli/completion/shells.ts';
import { openKnownServers } from '../../src/cli/known-servers.ts';
import { openProfile } from '../../src/cli/profile.ts';
import { ChatError } from '../../src/core/errors.ts';
import { otherFingerprint, serverFingerprint } from './support/fake-client.ts';
import { chat, fakeHost, runOn } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const candidate = (word: string) => ({ word, describe: `what ${word} is` });

/** Names that are always there, and what was asked for. */
function namesAtHand(): NameSource & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    async rooms(flags) {
      asked.push(['rooms', flags]);
      return ['#lobby', '#ops'].map(candidate);
    },
    async users(flags) {
      asked.push(['users', flags]);
      return ['@alice', '@bob'].map(candidate);
    },
    async contexts() {
      asked.push(['contexts']);
      return ['default', 'work'].map(candidate);
    },
  };
}

const options = {
  bare: { type: 'flag', alias: 'b', describe: 'a bare flag' },
  word: { type: 'text', alias: 'w', value: 'W', describe: 'text' },
  paper: { type: 'text', alias: 'p', value: 'FILE', complete: 'file', describe: 'a file' },
  size: { type: 'text', value: 'SIZE', complete: ['small', 'large'], describe: 'a few words' },
  kind: { type: 'choice', alias: 'k', choices: ['one', 'two'], describe: 'a choice' },
  number: { type: 'number', value: 'N', min: 0, max: 9, whole: true, describe: 'a number' },
  secret: { type: 'refused', describe: 'not like this' },
  // In place of the global one, which takes `json`.
  output: { type: 'choice', choices: ['paper'], describe: 'its own' },
} as const;

/** A list of one command `probe` whose operands are `kinds`, with a subcommand `deeper`. */
function probe(kinds: readonly OperandKind[] | undefined, max: number): CommandEntry[] {
  const operands = { min: 0, max, names: '', ...(kinds === undefined ? {} : { complete: kinds }) };
  const shared = { usage: [], description: '', examples: [], run: async () => 0 };
  const deeper = command({ ...shared, options: {}, operands: { min: 0, max: 0, names: '' } });
  const found = command({
    ...shared,
    options,
    operands,
    subcommands: [{ name: 'deeper', summary: 'one more', load: async () => deeper }],
  });
  return [
    { name: 'probe', summary: 'tries', load: async () => found },
    { name: 'unseen', summary: 'for programs', hidden: true, load: async () => deeper },
  ];
}

const wordsOf = (found: Candidates) =>
  found.kind === 'files' ? 'files' : found.words.map(({ word }) => found.lead + word);

async function find(typed: string, kinds?: readonly OperandKind[], max = Number.POSITIVE_INFINITY) {
  return wordsOf(await findCandidates(typed.split(' '), probe(kinds, max), namesAtHand()));
}

const globalFlags = [
  '--server',
  '--context',
  '--quiet',
  '--verbose',
  '--no-color',
  '--screen-reader',
  '--trust',
  '--fingerprint',
  '--config',
];
const flagsOfAll = [...globalFlags.slice(0, 2), '--output', ...globalFlags.slice(2), '--help', '--version'];
const flagsOfProbe = [
  ...['--bare', '--word', '--paper', '--size', '--kind', '--number', '--output'],
  ...globalFlags,
  '--help',
  '--version',
];

describe('what could stand at the cursor', () => {
  it.each([
    ['', ['probe']],
    ['pro', ['probe']],
    ['--quiet ', ['probe']],
    ['--server x ', ['probe']],
    ['--server=x ', ['probe']],
    ['-qo json ', ['probe']],
    ['help ', ['probe', 'exit-codes', 'environment']],
    ['help probe ', ['deeper']],
    ['probe ', ['deeper']],
    ['-', flagsOfAll],
    ['nothing ', []],
    ['unseen -', flagsOfAll],
  ])('behind %j are commands and flags, never a hidden one: %j', async (typed, expected) => {
    expect(await find(typed)).toEqual(expected);
  });

  it.each([
    ['probe --', flagsOfProbe],
    ['probe -', flagsOfProbe],
    ['probe a -', flagsOfProbe],
    ['probe --bare --kind one --', flagsOfProbe.filter((flag) => !['--bare', '--kind'].includes(flag))],
    ['probe -bk two --', flagsOfProbe.filter((flag) => !['--bare', '--kind'].includes(flag))],
    ['probe --unknown --bare=1 -z5 --', flagsOfProbe.filter((flag) => flag !== '--bare')],
    ['probe -- -', []],
    ['probe -- --kind ', []],
    ['probe deeper ', flagsOfAll],
    ['probe deeper x ', []],
  ])('behind %j stand the flags of the command at hand, each once: %j', async (typed, expected) => {
    expect(await find(typed)).toEqual(expected);
  });

  it.each([
    ['probe --kind ', ['one', 'two']],
    ['probe -k ', ['one', 'two']],
    ['probe -bk ', ['one', 'two']],
    ['probe --kind=', ['--kind=one', '--kind=two']],
    ['probe --kind=o', ['--kind=one', '--kind=two']],
    ['probe -k=o', ['-k=one', '-k=two']],
    ['probe -ko', ['-kone', '-ktwo']],
    ['probe -bko', ['-bkone', '-bktwo']],
    ['probe --size ', ['small', 'large']],
    ['probe --output ', ['paper']],
    ['--output ', ['text', 'json']],
    ['-o ', ['text', 'json']],
    ['probe --word ', []],
    ['probe --word --', []],
    ['probe --number ', []],
    ['probe --bare=', []],
    ['probe --unknown=', []],
    ['probe --paper ', 'files'],
    ['probe --paper=dir/', 'files'],
    ['probe -p', flagsOfProbe],
    ['probe -pdir/', 'files'],
    ['probe --config ', 'files'],
    ['--context ', ['default', 'work']],
    ['probe --context=w', ['--context=default', '--context=work']],
  ])('behind %j stand the values of the flag: %j', async (typed, expected) => {
    expect(await find(typed)).toEqual(expected);
  });

  it.each<[string, readonly OperandKind[] | undefined, number, readonly string[] | 'files']>([
    ['probe ', ['conversation', 'text'], 9, ['deeper', '#lobby', '#ops', '@alice', '@bob']],
    ['probe #o', ['conversation', 'text'], 9, ['deeper', '#lobby', '#ops']],
    ['probe @', ['conversation', 'text'], 9, ['deeper', '@alice', '@bob']],
    ['probe he', ['conversation', 'text'], 9, ['deeper']],
    ['probe #ops ', ['conversation', 'text'], 9, []],
    ['probe #ops ', ['conversation'], 9, ['#lobby', '@alice', '@bob']],
    ['probe -- ', ['conversation'], 9, ['#lobby', '#ops', '@alice', '@bob']],
    ['probe #ops @', ['conversation'], 9, ['@alice', '@bob']],
    ['probe --bare @bob -- @', ['conversation'], 9, ['@alice']],
    ['probe o', ['room'], 9, ['deeper', 'lobby', 'ops']],
    ['probe #', ['room'], 9, ['deeper', '#lobby', '#ops']],
    ['probe a', ['user'], 9, ['deeper', 'alice', 'bob']],
    ['probe @', ['user'], 9, ['deeper', '@alice', '@bob']],
    ['probe x ', ['text', 'context'], 9, ['default', 'work']],
    ['probe x ', ['text', ['on', 'off']], 2, ['on', 'off']],
    ['probe x on o', ['text', ['on', 'off']], 2, []],
    ['probe x', ['file'], 9, 'files'],
    ['probe x ', undefined, 9, []],
    ['probe x -k one ', ['text'], 1, flagsOfProbe.filter((flag) => flag !== '--kind')],
    ['probe -- x ', ['text'], 1, []],
  ])('behind %j of %j (at most %i) stands what its operands are: %j', async (typed, kinds, max, expected) => {
    expect(await find(typed, kinds, max)).toEqual(expected);
  });

  it('asks nobody for what the first character rules out, and tells the flags before', async () => {
    const ask = async (...typed: string[]) => {
      const names = namesAtHand();
      await findCandidates(typed, probe(['conversation', 'text'], 9), names);
      return names.asked;
    };
    expect(await ask('probe', 'he')).toEqual([]);
    expect(await ask('probe', '-')).toEqual([]);
    expect(await ask('probe', '#ops', '')).toEqual([]);
    expect(await ask('probe', '@')).toEqual([['users', {}]]);
    expect(await ask('--context', 'work', '-q', 'probe', '--server=x', '#')).toEqual([
      ['rooms', { context: 'work', quiet: true, server: 'x' }],
    ]);
  });

  it.each([
    [
      ['send', '#'],
      ['#lobby', '#ops'],
    ],
    [['tail', '@alice', '@'], ['@bob']],
    [
      ['join', 'o'],
      ['lobby', 'ops'],
    ],
    [
      ['leave', '#'],
      ['#lobby', '#ops'],
    ],
    [
      ['room', 'members', '#'],
      ['#lobby', '#ops'],
    ],
    [
      ['context', 'select', ''],
      ['default', 'work'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['send', '--file', ''], 'files'],
    [['login', '--password-file', ''], 'files'],
    [['serve', '--config', ''], 'files'],
    [['serve', '--data='], 'files'],
    [
      ['serve', '--log-format='],
      ['--log-format=text', '--log-format=json'],
    ],
  ])('knows the shipped commands: %j is %j', async (typed, expected) => {
    expect(wordsOf(await findCandidates(typed, commands, namesAtHand()))).toEqual(expected);
  });

  it('takes descriptions from the commands themselves', async () => {
    expect(await findCandidates(['room', ''], commands, namesAtHand())).toEqual({
      kind: 'words',
      lead: '',
      words: [{ word: 'members', describe: 'list who is in a room' }],
    });
  });
});

describe('words of a shell', () => {
  it.each([
    ['', [''], ''],
    ['chat', ['chat'], ''],
    ['chat  send ', ['chat', 'send', ''], ''],
    ["chat '' x", ['chat', '', 'x'], ''],
    ["chat send '#op", ['chat', 'send', '#op'], "'"],
    ['chat send "a b', ['chat', 'send', 'a b'], '"'],
    ['chat send \\#op', ['chat', 'send', '#op'], ''],
    ['chat a\\ b', ['chat', 'a b'], ''],
    ['chat \\  x', ['chat', ' ', 'x'], ''],
    [`x "a\\"b\\c" 'd\\' e"f"'g'`, ['x', 'a"b\\c', 'd\\', 'efg'], ''],
    ['end\\', ['end'], ''],
    ['a\tb\u00a0c\u2003d', ['a', 'b\u00a0c\u2003d'], ''],
  ])('of %j are %j', (line, words, quote) => {
    expect(splitShellWords(line)).toEqual({ words, quote });
  });

  it('are read as they were before they were quoted, by us and by bash', () => {
    const quotes = fc.constantFrom("'", '"', '');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), quotes, (word, quote) => {
        fc.pre(!/[\0\n\r]/.test(word));
        expect(splitShellWords(`${quote}${quoteForBash(word, quote as '"')}`).words).toEqual([word]);
      }),
    );
    const printable = String.fromCharCode(...Array.from({ length: 95 }, (_none, n) => n + 32));
    for (const quote of ["'", '"', ''] as const) {
      const typed = `${quote}${quoteForBash(printable, quote)}${quote}`;
      expect(spawnSync('bash', ['-c', `printf %s ${typed}`], { encoding: 'utf8' }).stdout).toBe(printable);
    }
  });
});

describe('for bash', () => {
  const spell = (replaced: string, line: string, words: readonly string[], lead = '') =>
    shells.bash.spell({ kind: 'words', lead, words: words.map(candidate) }, [replaced, line]);

  it.each([
    ['', 'chat send ', ['#ops', '@al'], ['\\#ops', '@al']],
    ['#o', 'chat send #o', ['#ops', '#lobby'], ['\\#ops']],
    ['#o', "chat send '#o", ['#ops'], ['#ops']],
    ['al', 'chat send @al', ['@alice', '@bob'], ['alice']],
    ['@al', 'chat send @al', ['@alice'], ['@alice']],
    ['\\#o', 'chat send \\#o', ['#ops'], ['\\#ops']],
    ['Al', 'chat send @Al', ['@alice'], []],
  ])('only what stands in place of %j at the end of %j is spelled', (replaced, line, words, expected) => {
    expect(spell(replaced, line, words)).toEqual(expected);
  });

  it('what stands before = is left out as far as readline keeps it', () => {
    expect(spell('', 'chat -o=', ['text', 'json'], '-o=')).toEqual(['text', 'json']);
    expect(spell('j', 'chat -o=j', ['text', 'json'], '-o=')).toEqual(['json']);
    expect(spell('=', 'chat -o=', ['json'], '-o=')).toEqual(['=json']);
    expect(spell('-o=j', 'chat -o=j', ['json'], '-o=')).toEqual(['-o=json']);
  });
});

describe('chat complete', () => {
  const rooms = {
    rooms: [
      { room: '#lobby', members: 12, member: true, last_seq: 3 },
      { room: '#ops', members: 1, member: false, last_seq: 0 },
    ],
    next: null,
  };
  const users = { users: [{ username: 'bob', online: true }], next: null };
  const none = { code: 0, stdout: 'words\n', stderr: '' };

  afterEach(() => {
    vi.useRealTimers();
  });

  it('prints what names are with a word about each, over all pages', async () => {
    const world = await loggedIn({
      'room.list': rooms,
      'user.list': ({ after }) =>
        after === undefined ? { users: [{ username: 'al', online: false }], next: 'al' } : users,
    });
    expect(await world.run('complete', 'zsh', '--', 'send', '')).toEqual({
      code: 0,
      stdout: 'words\n#lobby\t12 members, you are in it\n#ops\t1 member\n@al\toffline\n@bob\tonline\n',
      stderr: '',
    });
    expect(world.server.calls).toEqual(
      expect.arrayContaining([
        { name: 'user.list', params: { all: true } },
        { name: 'user.list', params: { all: true, after: 'al' } },
      ]),
    );
    expect([world.server.opened, world.server.closed]).toEqual([1, 1]);
  });

  it('asks the server that the words name', async () => {
    const world = await loggedIn({ 'room.list': rooms });
    const words = ['complete', 'fish', '--', '--server', 'other.example.org', 'send', '#'];
    expect(await world.run(...words)).toEqual(none);
    expect(world.server.opened).toBe(0);
  });

  it('leaves out a name that no server may give', async () => {
    const bad = ['#$(reboot)', '#a b', '#', '@bob', '#a\tb', '#a\nb', '#`x`'];
    const world = await loggedIn({
      'room.list': {
        rooms: [...bad, '#ops'].map((room) => ({ room, members: 1, member: true, last_seq: 0 })),
        next: null,
      },
    });
    expect((await world.run('complete', 'bash', '--', '#', 'chat send #')).stdout).toBe('words\n\\#ops\n');
  });

  it('says in the first line that files are meant', async () => {
    expect(await chat(['complete', 'bash', '--', '', 'chat send --file '])).toEqual({
      code: 0,
      stdout: 'files\n',
      stderr: '',
    });
  });

  it('is silent without a login, and connects to nobody', async () => {
    const client = { connect: vi.fn() };
    expect(await chat(['complete', 'zsh', '--', 'send', '@'], { client, terminal: true })).toEqual(none);
    expect(client.connect).not.toHaveBeenCalled();
  });

  it.each([
    ['a server that is not there', new ChatError('unavailable', 'cannot connect')],
    ['an error that nobody knows', new Error('a bug')],
  ])('is silent about %s', async (_what, error) => {
    const { run } = await loggedIn({}, { client: { connect: () => Promise.reject(error) }, terminal: true });
    expect(await run('complete', 'zsh', '--', 'send', '@')).toEqual(none);
  });

  it('is silent about settings and files that do not fit', async () => {
    const env = { CHAT_CONTEXT: 'NO NAME', CHAT_OUTPUT: 'nonsense', CHAT_TOKEN: 'cs1_first' };
    const world = await loggedIn({ 'room.list': rooms }, { env });
    expect(await world.run('complete', 'zsh', '--', 'send', '#')).toEqual(none);
    const broken = ['complete', 'zsh', '--', '--config', '/nowhere', 'send', '#'];
    expect(await world.run(...broken)).toEqual(none);
  });

  it.each([
    ['not known yet', undefined],
    ['another than before', otherFingerprint],
  ])('asks no person about a key that is %s, trusts and remembers none', async (_what, pinned) => {
    const env = { CHAT_SERVER: 'chat.example.org:8080', CHAT_TOKEN: 'cs1_first', CHAT_TRUST: 'always' };
    const { host, server, run } = await loggedIn({ 'room.list': rooms }, { env, terminal: true });
    const known = openKnownServers(host);
    const address = { scheme: 'chat', host: 'chat.example.org', port: 8080 } as const;
    if (pinned !== undefined) await known.update(address, (before) => ({ ...before, fingerprint: pinned }));
    const before = await known.load(address);
    const words = ['complete', 'zsh', '--', '--fingerprint', serverFingerprint, 'send', '#'];
    expect(await run(...words)).toEqual(none);
    expect(host.asked).toEqual([]);
    expect(server.opened).toBe(0);
    expect(await known.load(address)).toEqual(before);
  });

  it('uses the login as it is kept, and never spends its refresh token', async () => {
    const world = await loggedIn({ 'room.list': rooms, 'session.refresh': {} });
    world.server.alive.clear();
    const profile = openProfile(world.host, { scheme: 'chat', host: '127.0.0.1', port: 8080 }, 'default');
    const kept = await profile.load();
    expect(await world.run('complete', 'zsh', '--', 'send', '#')).toEqual(none);
    expect(world.server.calls).toEqual([]);
    expect([kept?.username, await profile.load()]).toEqual(['alice', kept]);
  });

  it('waits one second for the server, and answers what has come by then', async () => {
    let wasAsked = (): void => {};
    const asked = new Promise<void>((resolve) => {
      wasAsked = resolve;
    });
    const world = await loggedIn({
      'room.list': rooms,
      'user.list': () => {
        wasAsked();
        return new Promise<never>(() => {});
      },
    });
    vi.useFakeTimers();
    let outcome: unknown;
    const running = world.run('complete', 'zsh', '--', 'send', '').then((ended) => {
      outcome = ended;
    });
    await asked;
    await vi.advanceTimersByTimeAsync(999);
    expect(outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    await running;
    expect(outcome).toEqual({
      code: 0,
      stdout: 'words\n#lobby\t12 members, you are in it\n#ops\t1 member\n',
      stderr: '',
    });
    expect(world.server.closed).toBe(1);
  });

  it('names saved contexts, those with a login, and the default', async () => {
    const world = await loggedIn({}, { env: { CHAT_PASSWORD: 'secret' } });
    expect(await world.run('context', 'save', 'work', '--server', 'chat.example.org')).toMatchObject({
      code: 0,
    });
    expect(await world.run('login', 'alice', '--context', 'other')).toMatchObject({ code: 0 });
    expect((await world.run('complete', 'fish', '--', '--context=')).stdout).toBe(
      'words\n--context=default\tchat://127.0.0.1:8080\n--context=other\tchat://127.0.0.1:8080\n--context=work\tchat://chat.example.org:8080\n',
    );
    expect((await chat(['complete', 'zsh', '--', 'context', 'rm', ''])).stdout).toBe(
      'words\ndefault\tused when no other is named\n',
    );
  });

  it('takes only the shells there are a script for', async () => {
    expect(await chat(['complete', 'tcsh', '--', ''])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: chat complete takes bash, zsh, fish, not "tcsh"\n',
    });
  });

  it('is named by no help and no guess', async () => {
    expect((await chat(['--help'])).stdout).not.toMatch(/chat complete\s/);
    expect((await chat(['complet'])).stderr).toBe('chat: unknown command "complet" (see chat --help)\n');
  });
});

describe('chat completion', () => {
  it.each(['bash', 'zsh', 'fish'] as const)('prints the script for %s', async (name) => {
    const { script } = shells[name];
    expect(await chat(['completion', name])).toEqual({ code: 0, stdout: script, stderr: '' });
    const { stdout } = await chat(['completion', name, '-o', 'json']);
    expect(JSON.parse(stdout)).toEqual({ shell: name, script });
  });

  it('takes only the shells there are, and says how to install', async () => {
    expect(await chat(['completion', 'tcsh'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: chat completion takes bash, zsh, fish, not "tcsh"\n',
    });
    expect(await chat(['completion'])).toMatchObject({
      code: 2,
      stderr: 'chat: chat completion needs bash, zsh, fish\n',
    });
    const host = await fakeHost({ terminal: true });
    const { stdout } = await runOn(host, 'completion', '--help');
    for (const file of ['~/.bashrc', '~/.zshrc', '~/.config/fish/config.fish'])
      expect(stdout).toContain(file);
  });
});
