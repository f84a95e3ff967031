import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/arguments.ts';
import { type Command, type CommandArguments, type CommandEntry, command } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { run } from '../../src/cli/main.ts';
import { readOptions } from '../../src/cli/options.ts';
import { settings } from '../../src/server/settings.ts';
import { chat, fakeHost } from './support/fake-host.ts';

/** A command that captures what it was given. */
function probe(): { list: CommandEntry[]; seen: CommandArguments[] } {
  const seen: CommandArguments[] = [];
  const definition = command({
    usage: ['probe'],
    description: 'captures',
    options: {
      bare: { type: 'flag', alias: 'b', env: 'PROBE_BARE', describe: 'a bare flag' },
      word: { type: 'text', value: 'W', env: 'PROBE_WORD', describe: 'text' },
      number: { type: 'number', alias: 'n', value: 'N', min: 0, max: 10, whole: true, describe: 'a number' },
      part: { type: 'number', value: 'N', min: 0.5, max: 10, whole: false, describe: 'a number' },
      kind: { type: 'choice', choices: ['one', 'two'], describe: 'a choice' },
      secret: { type: 'refused', describe: 'not like this' },
    },
    operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '' },
    examples: [],
    async run(args) {
      seen.push(args);
      return 0;
    },
  });
  return { list: [{ name: 'probe', summary: 'captures', load: async () => definition }], seen };
}

async function parse(argv: string[], env: Record<string, string> = {}) {
  const { list, seen } = probe();
  const host = await fakeHost({ env });
  const code = await run(argv, host, list);
  return { code, stderr: host.stderr.text, args: seen[0] };
}

describe('words that are no flags', () => {
  it.each([
    [['true', 'story']],
    [['-', 'help']],
    [['1e3', '0x10', '007']],
    [['"quoted"', "'quoted'"]],
    [['', ' ']],
    [['a=b', '__proto__', 'constructor']],
    [['-5', 'degrees']],
  ])('arrive as typed: %j', async (words) => {
    expect((await parse(['probe', ...words])).args?.operands).toEqual(words);
  });

  it('arrive as typed after a bare flag, which takes no value', async () => {
    const { args } = await parse(['probe', '-b', 'false', 'alarm']);
    expect(args).toMatchObject({ operands: ['false', 'alarm'], options: { bare: true } });
  });

  it('may begin with a dash after --, also when they look like flags', async () => {
    const { args } = await parse(['probe', 'a', '--', '--bare', '-x', '--help', '--']);
    expect(args).toMatchObject({ operands: ['a', '--bare', '-x', '--help', '--'], options: { bare: false } });
  });
});

describe('flags', () => {
  it('are read in every spelling', async () => {
    const { args } = await parse([
      'probe',
      '-n',
      '3',
      '--word=w x',
      '--kind',
      'two',
      '--part',
      '0.5',
      '--bare',
    ]);
    expect(args?.options).toEqual({
      bare: true,
      word: 'w x',
      number: 3,
      part: 0.5,
      kind: 'two',
      secret: undefined,
    });
  });

  it('are undefined, and bare ones false, when absent', async () => {
    expect((await parse(['probe'])).args?.options).toEqual({
      bare: false,
      word: undefined,
      number: undefined,
      part: undefined,
      kind: undefined,
      secret: undefined,
    });
  });

  it('win over the environment, and the environment over nothing', async () => {
    const env = { PROBE_WORD: 'from env', PROBE_BARE: '1' };
    expect((await parse(['probe'], env)).args?.options).toMatchObject({ word: 'from env', bare: true });
    expect((await parse(['probe', '--word', 'typed'], env)).args?.options).toMatchObject({ word: 'typed' });
  });

  it.each<[string[], string]>([
    [['--bogus'], 'unknown flag --bogus (see chat --help)'],
    [['--bogus=3'], 'unknown flag --bogus (see chat --help)'],
    [['-z'], 'unknown flag -z; text that begins with a dash goes after -- (see chat --help)'],
    [['--word'], '--word needs a value'],
    [['--word', '--bare'], '--word needs a value'],
    [['--word', ''], '--word must not be empty'],
    [['--word='], '--word must not be empty'],
    [['--word', 'a', '--word', 'b'], '--word is given more than once; give it once'],
    [['-n', '1', '--number', '2'], '--number is given more than once; give it once'],
    [['-n', 'x'], '--number takes a whole number from 0 to 10, not "x"'],
    [['-n', '1.5'], '--number takes a whole number from 0 to 10, not "1.5"'],
    [['-n', '-1'], '--number takes a whole number from 0 to 10, not "-1"'],
    [['-n', '11'], '--number takes a whole number from 0 to 10, not "11"'],
    [['-n', '0x1'], '--number takes a whole number from 0 to 10, not "0x1"'],
    [['-n', '1e1'], '--number takes a whole number from 0 to 10, not "1e1"'],
    [['--part', '0.4'], '--part takes a number from 0.5 to 10, not "0.4"'],
    [['--kind', 'three'], '--kind takes one, two, not "three"'],
    [['--bare=maybe'], '--bare takes no value'],
    [['-b=maybe'], '--bare takes no value'],
    [['--secret', 'x'], '--secret: not like this'],
    [['--secret'], '--secret: not like this'],
    [
      ['--quiet', '--verbose'],
      '--quiet and --verbose cannot be given together: they ask for opposite things',
    ],
    [['--output', 'xml'], '--output takes text, json, not "xml"'],
    [['--trust', 'maybe'], '--trust takes on-first-use, always, never, not "maybe"'],
    [
      ['--trust', 'always', '--fingerprint', `SHA256:${'A'.repeat(43)}`],
      '--trust and --fingerprint cannot be given together: a fingerprint names the one key to trust',
    ],
    [['--fingerprint', 'MD5:00'], '--fingerprint takes SHA256: and 43 characters, as `chat serve` prints it'],
    [['--context', '../x'], "--context takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'"],
    [
      ['--server', 'plain://example.org:1'],
      '--server: plain:// is for loopback only (127.0.0.1, [::1], localhost): elsewhere use chat://',
    ],
    [['--server', 'http://x'], "--server: a server's address begins with chat:// or plain://, not http://"],
    [['--server', 'host:99999'], '--server: a port is a number from 1 to 65535'],
    [['--server', ''], '--server must not be empty'],
  ])('that do not fit are exit 2 and one line: %j', async (argv, text) => {
    const { code, stderr, args } = await parse(['probe', ...argv]);
    expect({ code, stderr, args }).toEqual({ code: 2, stderr: `chat: ${text}\n`, args: undefined });
  });

  it('from the environment that do not fit name the variable', async () => {
    expect(await parse(['probe'], { PROBE_WORD: '' })).toMatchObject({
      code: 2,
      stderr: 'chat: PROBE_WORD must not be empty\n',
    });
    expect(await parse(['probe'], { PROBE_BARE: 'perhaps' })).toMatchObject({
      code: 2,
      stderr: 'chat: PROBE_BARE takes 1 or 0, not "perhaps"\n',
    });
  });
});

describe('commands', () => {
  it('that do not exist are exit 2, with what was probably meant', async () => {
    expect(await chat(['sned'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'chat: unknown command "sned"; did you mean send? (see chat --help)\n',
    });
    expect(await chat(['frobnicate'])).toMatchObject({
      code: 2,
      stderr: 'chat: unknown command "frobnicate" (see chat --help)\n',
    });
  });

  it('that are not named get the help on stderr and exit 2 without a terminal', async () => {
    const { code, stdout, stderr } = await chat([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('chat send');
    expect(stderr).toContain('Exit codes:');
  });

  it('refuse words that they do not take', async () => {
    expect(await chat(['whoami', 'x'])).toMatchObject({
      code: 2,
      stderr: 'chat: chat whoami: unexpected "x" (see chat whoami --help)\n',
    });
    expect(await chat(['join'])).toMatchObject({ code: 2, stderr: 'chat: chat join needs ROOM\n' });
    expect(await chat(['join', ''])).toMatchObject({
      code: 2,
      stderr: 'chat: chat join: an argument is empty\n',
    });
    expect(await chat(['sessions', 'bogus'])).toMatchObject({ code: 2 });
    expect(await chat(['room'])).toMatchObject({ code: 2, stderr: 'chat: chat room takes: members ROOM\n' });
  });

  it.each(commands.map(({ name }) => [name]))(
    '%s shows its help with the exit codes on stdout, exit 0',
    async (name) => {
      const { code, stdout, stderr } = await chat([name, '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`chat ${name}`);
      expect(stdout).toContain('Examples:');
      expect(stdout).toContain('Exit codes:');
      expect((await chat(['help', name])).stdout).toBe(stdout);
    },
  );

  it('are loaded only when they are the one that was typed', async () => {
    const loaded: string[] = [];
    const watched = commands.map((entry) => ({
      ...entry,
      load: () => {
        loaded.push(entry.name);
        return entry.load();
      },
    }));
    await parseCommandLine(['whoami'], watched, 100);
    expect(loaded).toEqual(['whoami']);
  });
});

describe('chat serve', () => {
  it('takes the flags of the server’s own table, its settings file and --check', async () => {
    const parsed = await parseCommandLine(['serve', '--listen', '127.0.0.1:0', '--tls-only'], commands, 100);
    const options =
      parsed.kind === 'command' ? readOptions(parsed.line.command.options, parsed.line.raw, {}) : {};
    expect(options).toMatchObject({
      listen: '127.0.0.1:0',
      'tls-only': true,
      'insecure-clear-text': false,
      data: undefined,
    });
    expect(Object.keys(options)).toEqual([
      'config',
      'check',
      ...Object.values(settings).map(({ flag }) => flag),
    ]);
  });
});

describe('chat --version', () => {
  it('prints the version on stdout', async () => {
    expect(await chat(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });
});

describe('an error with -o json', () => {
  it.each([
    [['whoami', '-o', 'json', '--bogus']],
    [['whoami', '-o=json', '--bogus']],
    [['whoami', '--output=json', '--bogus']],
  ])('is JSON on stderr also when the flags are at fault: %j', async (argv) => {
    const { code, stdout, stderr } = await chat(argv);
    expect({ code, stdout, error: JSON.parse(stderr) }).toEqual({
      code: 2,
      stdout: '',
      error: { error: { code: 'invalid', message: 'unknown flag --bogus (see chat --help)' } },
    });
  });
});

describe('a slip of the pen', () => {
  it.each([
    [['sned', 'hi'], 'unknown command "sned"; did you mean send? (see chat --help)'],
    [['hlep'], 'unknown command "hlep"; did you mean help? (see chat --help)'],
    [['tail', '--tiemout', '3'], 'unknown flag --tiemout; did you mean --timeout? (see chat --help)'],
    [['send', '--flie', 'x'], 'unknown flag --flie; did you mean --file? (see chat --help)'],
    [['whoami', '--outptu=json'], 'unknown flag --outptu; did you mean --output? (see chat --help)'],
    [
      ['sessions', 'revok'],
      'chat sessions: unexpected "revok"; did you mean revoke? (see chat sessions --help)',
    ],
  ])('is told what may have been meant, and nothing is done: %j', async (argv, told) => {
    expect(await chat(argv)).toEqual({ code: 2, stdout: '', stderr: `chat: ${told}\n` });
  });

  it('is not guessed at when nothing is near', async () => {
    expect((await chat(['frobnicate'])).stderr).toBe(
      'chat: unknown command "frobnicate" (see chat --help)\n',
    );
    expect((await chat(['tail', '--frobnicate'])).stderr).toBe(
      'chat: unknown flag --frobnicate (see chat --help)\n',
    );
    // A flag that is refused is nothing to be led to.
    expect((await chat(['login', '--passwordd', 'x'])).stderr).not.toContain('--password?');
  });
});

/** Every command and subcommand that help names, with the words that lead to it. */
async function everyCommand(list = commands, path: string[] = []): Promise<[string, Command][]> {
  const found: [string, Command][] = [];
  for (const entry of list) {
    const command = await entry.load();
    const words = [...path, entry.name];
    found.push([words.join(' '), command], ...(await everyCommand(command.subcommands ?? [], words)));
  }
  return found;
}

describe('the help of every command', async () => {
  const all = await everyCommand();

  it.each(all)(
    'chat %s shows how it is typed, what it does, an example and the exit codes',
    async (name, command) => {
      expect(command.usage.every((form) => form === name || form.startsWith(`${name} `))).toBe(true);
      expect(command.description).toMatch(/^[A-Z].*\.$/s);
      expect(command.examples.length).toBeGreaterThan(0);
      const { code, stdout } = await chat([...name.split(' '), '--help']);
      expect(code).toBe(0);
      for (const text of [`chat ${command.usage[0]}`, 'Examples:', 'Exit codes:'])
        expect(stdout).toContain(text);
    },
  );

  it.each(all)('chat %s has only examples that chat takes', async (_name, command) => {
    for (const [example] of command.examples) {
      // The part of a pipe that is ours, without what the shell does with the rest.
      const [own] = /(?<=^|[|(] ?)chat [^|<>)&]*/.exec(example) ?? [];
      expect(own, example).toBeDefined();
      const words = [...(own ?? '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
        ([, one, two, bare]) => one ?? two ?? bare ?? '',
      );
      const parsed = await parseCommandLine(words.slice(1), commands, 100);
      if (parsed.kind !== 'command') throw new Error(`${example} is no command`);
      expect(() => readOptions(parsed.line.command.options, parsed.line.raw, {}), example).not.toThrow();
    }
  });
});
