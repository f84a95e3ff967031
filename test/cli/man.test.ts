import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type CommandEntry, command, noOperands } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { exitCodeMeanings } from '../../src/cli/exit-codes.ts';
import { environmentRows } from '../../src/cli/help.ts';
import { slashCommands } from '../../src/cli/interactive/slash-commands.ts';
import { run } from '../../src/cli/main.ts';
import { manualPage } from '../../src/cli/man/page.ts';
import type { OptionTable } from '../../src/cli/options.ts';
import { globalOptions } from '../../src/cli/settings.ts';
import { chat, fakeHost } from './support/fake-host.ts';

if (spawnSync('groff', ['--version']).error !== undefined)
  throw new Error('groff is missing; install it: apt-get install groff-base');

/** The page as a reader of a terminal of 80 columns sees it, without bold and underlining; throws what groff warns of. */
function rendered(page: string, device = 'utf8'): string {
  const { stdout, stderr, status } = spawnSync('groff', ['-man', '-ww', `-T${device}`, '-P-c', '-rLL=80n'], {
    input: page,
    encoding: 'utf8',
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  // Overstruck: a character or an underscore, a backspace, the character.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what groff writes.
  return stdout.replace(/.\x08/g, '');
}

/** Text as troff may have broken and spaced it. */
const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** What the page makes of a text: three dots are ASCII. */
const asShown = (text: string): string => squeezed(text.replaceAll('…', '...'));

interface Leaf {
  readonly path: string;
  readonly entry: CommandEntry;
}

async function visible(list: readonly CommandEntry[], above = ''): Promise<Leaf[]> {
  const found: Leaf[] = [];
  for (const entry of list) {
    if (entry.hidden === true) continue;
    const path = `${above}${entry.name}`;
    const { subcommands = [] } = await entry.load();
    found.push({ path, entry }, ...(await visible(subcommands, `${path} `)));
  }
  return found;
}

/** What the page says of one command: from its heading to the next. */
function partOf(page: string, path: string): string {
  const parts = page.split(/^(?= {3}chat |\S)/m);
  const found = parts.filter((part) => part.startsWith(`   chat ${path}\n`));
  expect(found).toHaveLength(1);
  return squeezed(found[0] ?? '');
}

const flagsOf = (table: OptionTable): string[] =>
  Object.entries(table).flatMap(([name, { type }]) => (type === 'refused' ? [] : [`--${name}`]));

/** A program with one command of these texts. */
function programOf(text: string): CommandEntry[] {
  const nasty = command({
    usage: ['nasty'],
    description: text,
    options: { flag: { type: 'text', value: 'X', describe: text } },
    operands: noOperands,
    examples: [[text, text]],
    run: async () => 0,
  });
  return [{ name: 'nasty', summary: text, load: async () => nasty }];
}

describe('chat man', () => {
  it('prints one page, on a terminal too, whatever the settings are', async () => {
    const page = await manualPage(commands, '1.2.3');
    expect(await chat(['man'])).toEqual({ code: 0, stdout: page, stderr: '' });
    const terminal = await fakeHost({ terminal: true, env: { CHAT_TRUST: 'nonsense' } });
    expect(await run(['man'], terminal)).toBe(0);
    expect(terminal.stdout.text).toBe(page);
  });

  it('is an object with -o json', async () => {
    const page = await manualPage(commands, '1.2.3');
    expect(JSON.parse((await chat(['man', '-o', 'json'])).stdout)).toEqual({ name: 'chat.1', page });
  });

  it.each(['utf8', 'ascii', 'latin1'])('is read by groff without a warning, for %s', async (device) => {
    const page = rendered(await manualPage(commands, '1.2.3'), device);
    expect(page).toContain('CHAT(1)');
    expect(page).toContain('chat 1.2.3');
    expect(page.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('has the sections of a manual page in their order', async () => {
    const page = rendered(await manualPage(commands, '1.2.3'));
    expect(page.match(/^[A-Z][A-Z ]+$/gm)).toEqual([
      ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'COMMANDS', 'INTERACTIVE MODE'],
      ...['EXIT STATUS', 'ENVIRONMENT', 'FILES', 'SEE ALSO'],
    ]);
  });

  it('has every command that help names with its usage, description, flags and examples', async () => {
    const page = rendered(await manualPage(commands, '1.2.3'));
    const leaves = await visible(commands);
    expect(leaves.length).toBeGreaterThan(commands.length);
    for (const { path, entry } of leaves) {
      const part = partOf(page, path);
      const { usage, description, options, examples } = await entry.load();
      for (const form of usage) expect(part).toContain(asShown(`chat ${form}`));
      expect(part).toContain(asShown(description));
      for (const flag of flagsOf(options)) expect(part).toMatch(new RegExp(`(^| )${flag} `));
      for (const option of Object.values(options))
        if (option.type !== 'refused') expect(part).toContain(asShown(option.describe));
      for (const [commandLine, what] of examples)
        expect(part).toContain(`${asShown(commandLine)} ${asShown(what)}`);
    }
  });

  it('has no command that is hidden, and no flag that is refused', async () => {
    const hidden = commands.filter((entry) => entry.hidden === true);
    expect(hidden.length).toBeGreaterThan(0);
    const page = rendered(await manualPage(commands, '1.2.3'));
    for (const { name } of hidden) expect(page).not.toMatch(new RegExp(`^ +chat ${name}( |$)`, 'm'));
    for (const { entry, path } of await visible(commands)) {
      const { options } = await entry.load();
      for (const [name, { type }] of Object.entries(options))
        if (type === 'refused') expect(partOf(page, path)).not.toContain(`--${name} `);
    }
  });

  it('has global flags, variables, exit codes, and what the live chat takes', async () => {
    const page = squeezed(rendered(await manualPage(commands, '1.2.3')));
    for (const flag of flagsOf(globalOptions)) expect(page).toMatch(new RegExp(` ${flag} `));
    expect(page).toContain('-o, --output text|json how results');
    for (const [variable, what] of environmentRows) expect(page).toContain(asShown(`${variable} ${what}`));
    for (const [code, ...meaning] of exitCodeMeanings)
      expect(page).toContain(asShown(`${code} ${meaning.join(' ')}`));
    for (const { usage, summary } of slashCommands) {
      expect(page).toContain(usage);
      expect(page).toContain(summary);
    }
  });

  it.each([
    '.TH at the beginning',
    "'at the beginning",
    '. alone',
    'a \\fBbackslash\\fR and \\n[more] \\',
    '--flags and - hyphens-within-words',
    'quotes " \' ` and ^ ~ @ # $ %',
    'accents é, ü and beyond: → 日本',
    `a long text with dots ${'.dot '.repeat(60)}that breaks anywhere`,
    'a sentence. Then another? Yes! .so /etc/passwd',
  ])('shows %j character for character', async (text) => {
    const page = rendered(await manualPage(programOf(text), '1'));
    const part = partOf(page, 'nasty');
    // Description, flag, example, and what it does.
    expect(part.split(squeezed(text))).toHaveLength(5);
  });

  it('shows control characters escaped, and text in paragraphs as such', async () => {
    const page = rendered(await manualPage(programOf('first\u001b[2J\n\nsecond\nline'), '1'));
    expect(page).toMatch(/first\\x1b\[2J\n\n +second line\n/);
  });
});
