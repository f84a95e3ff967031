import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/arguments.ts';
import { commandGroups } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { exitCodeHelp } from '../../src/cli/exit-codes.ts';
import { topics } from '../../src/cli/help.ts';
import { globalOptions } from '../../src/cli/settings.ts';
import { chat, fakeHost, runOn } from './support/fake-host.ts';

/** Those that a person may type. */
const shown = commands.filter(({ hidden }) => hidden !== true);

describe('chat --help', () => {
  it('lists every command once, under what it is about', async () => {
    const { code, stdout, stderr } = await chat(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const sections = stdout.split('\n\n');
    for (const { name, summary, group } of shown) {
      const [section = ''] = sections.filter((text) => text.startsWith(`${group}:\n`));
      expect(section.split('\n').filter((line) => line.startsWith(`  chat ${name} `))).toEqual([
        expect.stringMatching(new RegExp(`^  chat ${name} +${summary}$`)),
      ]);
    }
    const headings = sections.map((text) => text.split('\n')[0]?.replace(/:$/, ''));
    expect(headings.filter((heading) => commandGroups.some((group) => group === heading))).toEqual([
      ...commandGroups,
    ]);
    expect(stdout).not.toContain('Others:');
    expect(stdout).toContain('Exit codes:');
  });

  it('is what chat help and, on stderr with exit 2, a script without a command get', async () => {
    const { stdout } = await chat(['--help']);
    expect(await chat(['help'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(await chat([])).toEqual({ code: 2, stdout: '', stderr: stdout });
  });

  it('shows a first conversation of command lines that fit', async () => {
    const { stdout } = await chat(['--help']);
    const [section = ''] = stdout.split('\n\n').filter((text) => text.startsWith('A first conversation:'));
    const lines = section.split('\n').slice(1);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const [commandLine = ''] = line.trim().split(/ {2,}/);
      const words = commandLine.replaceAll("'", '').split(' ').slice(1);
      expect(await parseCommandLine(words, commands, 100)).toMatchObject({ kind: 'command' });
    }
  });

  it('keeps to the width of the terminal, and to 110 columns on a wider one', async () => {
    const widest = async (columns: number): Promise<number> => {
      const host = await fakeHost({ terminal: true });
      const stdout = { ...host.stdout, columns };
      await runOn({ ...host, stdout }, 'help', 'environment');
      return Math.max(...stdout.text.split('\n').map(({ length }) => length));
    };
    expect(await widest(80)).toBeLessThanOrEqual(80);
    expect(await widest(110)).toBeGreaterThan(80);
    expect(await widest(300)).toBe(await widest(110));
    expect(await widest(110)).toBeLessThanOrEqual(110);
  });
});

describe('chat help TOPIC', () => {
  it('exit-codes is the table', async () => {
    expect(await chat(['help', 'exit-codes'])).toEqual({ code: 0, stdout: `${exitCodeHelp}\n`, stderr: '' });
  });

  it('environment names every variable that the client reads', async () => {
    const { code, stdout, stderr } = await chat(['help', 'environment']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const source = join(import.meta.dirname, '..', '..', 'src', 'cli');
    const read = globSync('**/*.ts', { cwd: source }).flatMap((file) =>
      [...readFileSync(join(source, file), 'utf8').matchAll(/\benv\.([A-Z][A-Z_]+)/g)].map(
        ([, name]) => name,
      ),
    );
    const ofFlags = Object.values(globalOptions).flatMap((option) => ('env' in option ? [option.env] : []));
    // Windows' own names of directories.
    const platform = ['PROGRAMDATA'];
    const named = stdout.split('\n').map((line) => /^ {2}([A-Z_]+) /.exec(line)?.[1]);
    for (const variable of new Set([...read, ...ofFlags].filter((name) => !platform.includes(name ?? '')))) {
      expect(named).toContain(variable);
    }
  });

  it('is no command’s name', () => {
    expect(commands.filter(({ name }) => topics.some((topic) => topic.name === name))).toEqual([]);
  });

  it.each([
    [['exit-code'], 'no help for "exit-code"; did you mean exit-codes?'],
    [['sned'], 'no help for "sned"; did you mean send?'],
    [['sessions', 'revok'], 'no help for "sessions revok"; did you mean revoke?'],
    [['send', 'revoke'], 'no help for "send revoke"'],
    [['frobnicate'], 'no help for "frobnicate"'],
  ])('that does not exist is exit 2, with what may have been meant: %j', async (words, told) => {
    expect(await chat(['help', ...words])).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${told} (see chat --help)\n`,
    });
  });

  it('goes by a command beside flags too', async () => {
    const { stdout } = await chat(['tail', '--help']);
    expect(await chat(['help', '-o', 'json', 'tail'])).toEqual({ code: 0, stdout, stderr: '' });
  });
});

describe('a choice that is none', () => {
  it.each<[string[], Record<string, string>, string]>([
    [
      ['tail', '--exec-errors', 'stp'],
      {},
      '--exec-errors takes stop, continue, not "stp"; did you mean stop?',
    ],
    [['whoami', '-o', 'jsn'], {}, '--output takes text, json, not "jsn"; did you mean json?'],
    [['whoami', '--trust', 'perhaps'], {}, '--trust takes on-first-use, always, never, not "perhaps"'],
    [
      ['whoami'],
      { CHAT_TRUST: 'nevr' },
      'CHAT_TRUST takes on-first-use, always, never, not "nevr"; did you mean never?',
    ],
  ])('is told what may have been meant: %j', async (argv, env, told) => {
    expect(await chat(argv, { env })).toEqual({ code: 2, stdout: '', stderr: `chat: ${told}\n` });
  });
});
