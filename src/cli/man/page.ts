import { type Command, type CommandEntry, commandGroups } from '../command.ts';
import { exitCodeMeanings } from '../exit-codes.ts';
import { environmentRows, firstConversation, type Row } from '../help.ts';
import { slashCommands } from '../interactive/slash-commands.ts';
import type { Option, OptionTable } from '../options.ts';
import { globalOptions } from '../settings.ts';
import { files, placesElsewhere } from './files.ts';
import { bold, filled, heading, italic, paragraphs, roffText, tagged, usageText } from './roff.ts';

const shown = (list: readonly CommandEntry[]): CommandEntry[] => list.filter(({ hidden }) => hidden !== true);

/** A flag as it is typed, its one letter first. */
function flagTag(name: string, option: Option): string {
  const words = option.type === 'choice' ? ` ${roffText(option.choices.join('|'))}` : '';
  const value = 'value' in option ? ` ${italic(option.value)}` : '';
  const letter = option.alias === undefined ? '' : `${bold(`-${option.alias}`)}, `;
  return `${letter}${bold(`--${name}`)}${words}${value}`;
}

function flags(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => {
    if (option.type === 'refused') return [];
    const variable = option.env === undefined ? '' : ` [${option.env}]`;
    return tagged(flagTag(name, option), `${option.describe}${variable}`);
  });
}

const rows = (list: readonly Row[], style = bold): string[] =>
  list.flatMap(([left, right]) => tagged(style(left), right));

/** The forms of a command, each on a line of its own. */
const synopsis = (usage: readonly string[]): string[] => [
  ...usage.flatMap((form) => ['.SY chat', ...filled(usageText(form))]),
  '.YS',
];

function commandPart(path: string, { usage, description, options, examples }: Command): string[] {
  const ownFlags = flags(options);
  return [
    heading('.SS', `chat ${path}`),
    ...synopsis(usage),
    ...paragraphs(description),
    ...(ownFlags.length === 0 ? [] : ['.PP', 'Flags:', ...ownFlags]),
    ...(examples.length === 0
      ? []
      : ['.PP', examples.length === 1 ? 'Example:' : 'Examples:', ...rows(examples)]),
  ];
}

/** Each command and, behind it, its subcommands. */
async function commandParts(list: readonly CommandEntry[], above = ''): Promise<string[]> {
  const parts: string[] = [];
  for (const entry of shown(list)) {
    const path = `${above}${entry.name}`;
    const loaded = await entry.load();
    parts.push(...commandPart(path, loaded), ...(await commandParts(loaded.subcommands ?? [], `${path} `)));
  }
  return parts;
}

/** The commands by what they are about, as the first help has them; those of no group last. */
function byGroup(list: readonly CommandEntry[]): CommandEntry[] {
  return [...commandGroups, undefined].flatMap((group) =>
    shown(list).filter((entry) => entry.group === group),
  );
}

function interactiveMode(): string[] {
  const commands = slashCommands.map(({ usage, aliases = [], summary }): readonly [string, string] => {
    const others = aliases.map((alias) => `, ${bold(`/${alias}`)}`).join('');
    return [`${usageText(usage)}${others}`, summary];
  });
  return [
    ...paragraphs(
      'At a terminal chat without a command signs in by questions and is a live chat. Enter sends, Tab completes, Ctrl-N and Ctrl-P ' +
        'turn to the next and the previous conversation, Page Up and Page Down scroll, Ctrl-D on an empty line leaves. ' +
        '@user TEXT is private; //TEXT begins with a slash. A line that begins with a slash is a command:',
    ),
    ...commands.flatMap(([tag, summary]) => tagged(tag, summary)),
  ];
}

/** A section; its first paragraph begins with it. */
function section(title: string, ...lines: readonly string[]): string[] {
  return [heading('.SH', title), ...(lines[0] === '.PP' ? lines.slice(1) : lines)];
}

/** chat(1) of the program's own commands and texts, in the language of man pages (groff_man(7)), ending with a newline. */
export async function manualPage(list: readonly CommandEntry[], version: string): Promise<string> {
  const lines = [
    '.\\" Made by chat man from the definitions of the commands.',
    `.TH CHAT 1 "" "${roffText(`chat ${version}`)}" "User Commands"`,
    // Nothing is broken within a word, which might be a flag, and no line is stretched.
    '.nr HY 0',
    '.nh',
    '.ad l',
    ...section('NAME', `chat ${roffText('- self-hosted team chat for terminals and scripts')}`),
    ...section(
      'SYNOPSIS',
      ...synopsis(['COMMAND [flags] [WORD…]', 'COMMAND --help', 'help COMMAND', '--version']),
      ...paragraphs('chat without a command, at a terminal, is a live chat: see INTERACTIVE MODE.'),
    ),
    ...section(
      'DESCRIPTION',
      ...paragraphs(
        'chat is a chat server and its clients in one program: chat serve runs a server, the other commands talk to one. What is asked for ' +
          'goes to stdout, a line each or with -o json an object a line; talk, questions and errors go to stderr. An error is one line ' +
          'that says what is wrong and what to do, and an exit code that says of what kind it is.\n\nA first conversation:',
      ),
      ...rows(firstConversation),
    ),
    ...section(
      'OPTIONS',
      ...paragraphs(
        'Every command takes these. In brackets stands the variable that is read when the flag is not given; after it come the ' +
          'settings of the person and of the machine (see chat config). What follows -- is no flag.',
      ),
      ...flags(globalOptions),
      ...tagged(
        `${bold('-h')}, ${bold('--help')}`,
        'what a command does, its flags, examples and the exit codes',
      ),
      ...tagged(bold('--version'), 'the version'),
    ),
    ...section('COMMANDS', ...(await commandParts(byGroup(list)))),
    ...section('INTERACTIVE MODE', ...interactiveMode()),
    ...section(
      'EXIT STATUS',
      ...rows(exitCodeMeanings.map(([code, ...meaning]) => [String(code), meaning.join(' ')])),
    ),
    ...section(
      'ENVIRONMENT',
      ...paragraphs(
        'A flag goes before its variable, a variable before files. Those of a server stand with the flags of chat serve.',
      ),
      ...rows(environmentRows),
    ),
    ...section('FILES', ...paragraphs(placesElsewhere), ...rows(files, italic)),
    ...section(
      'SEE ALSO',
      `${bold('chat help')} ${italic('COMMAND')}, ${bold('chat help environment')}, ${bold('chat help exit-codes')}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}
