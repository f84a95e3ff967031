import yargs, { type Argv } from 'yargs';
import type { Command, CommandEntry } from './command.ts';
import { exitCodeHelp } from './exit-codes.ts';
import { type OptionTable, usageError } from './options.ts';
import { globalOptions } from './settings.ts';

/** The command that was typed, with what came with it, unchecked. */
export interface ParsedLine {
  readonly path: readonly string[];
  readonly command: Command;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly operands: readonly string[];
}

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: 'command'; readonly line: ParsedLine }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version'; readonly raw: Readonly<Record<string, unknown>> }
  | { readonly kind: 'nothing'; readonly text: string; readonly raw: Readonly<Record<string, unknown>> };

/**
 * yargs reads `true` and `false` after a bare flag as its value, drops `-`, and takes a last word `help` for the flag;
 * a message must keep them. Behind a NUL, which no argument can hold, they are words like any other.
 */
const swallowed = /^(true|false|-|help)$/;
const shield = (word: string): string => (swallowed.test(word) ? `\0${word}` : word);
const unshield = (word: string): string => (word.startsWith('\0') ? word.slice(1) : word);

function unshieldValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unshieldValue);
  return typeof value === 'string' ? unshield(value) : value;
}

/** `chat help send` is `chat send --help`; every other word goes through as typed. */
function prepare(argv: readonly string[]): string[] {
  if (argv[0] === 'help') return [...argv.slice(1).map(shield), '--help'];
  return argv.map(shield);
}

/** Declares a table to yargs; values stay text, since the checks and their messages are ours. */
function declare(parser: Argv, table: OptionTable, group: string, forHelp: boolean): void {
  for (const [name, option] of Object.entries(table)) {
    if (option.type === 'refused') {
      parser.option(name, { type: 'string', hidden: true });
      continue;
    }
    const env = option.env === undefined ? '' : ` [${option.env}]`;
    const words = option.type === 'choice' ? ` (${option.choices.join('|')})` : '';
    const value = 'value' in option ? `${option.value}: ` : '';
    parser.option(name, {
      type: option.type === 'flag' ? 'boolean' : 'string',
      ...(forHelp ? { describe: `${value}${option.describe}${words}${env}`, group } : { hidden: true }),
      ...(option.type === 'flag' ? {} : { requiresArg: true }),
      ...(option.alias === undefined ? {} : { alias: option.alias }),
    });
  }
}

/** A command's own flag stands in the place of a global one of its name; yargs would show it among both. */
function hideGlobals(parser: Argv, names: readonly string[]): void {
  const { getGroups } = parser as { getGroups?(this: Argv): Record<string, string[]> };
  const shown = getGroups?.call(parser)['Global flags:'] ?? [];
  for (const name of names) {
    if (shown.includes(name)) shown.splice(shown.indexOf(name), 1);
  }
}

/** Refuses `--quiet=maybe`, which yargs would read as false. */
function refuseValues(argv: readonly string[], table: OptionTable): void {
  const end = argv.indexOf('--');
  const flags = end < 0 ? argv : argv.slice(0, end);
  for (const [name, option] of Object.entries(table)) {
    if (option.type !== 'flag') continue;
    const spellings = option.alias === undefined ? [`--${name}=`] : [`--${name}=`, `-${option.alias}=`];
    if (flags.some((word) => spellings.some((spelling) => word.startsWith(spelling)))) {
      throw usageError(`--${name} takes no value`, `--${name}`);
    }
  }
}

/** What may have been meant instead of a word; loaded for a mistake only. */
async function didYouMean(typed: string, known: readonly string[], prefix = ''): Promise<string> {
  return (await import('./did-you-mean.ts')).didYouMean(typed, known, prefix);
}

/** Turns yargs' texts into ours: the flag as it was typed, what may have been meant, and where to look. */
async function explain(message: string, argv: readonly string[], options: OptionTable): Promise<string> {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message);
  if (unknown !== null) {
    const names = (unknown[1] ?? '').split(', ');
    const first = argv.find((word) =>
      names.some((name) =>
        name.length === 1 ? /^-[^-]/.test(word) && word.includes(name) : word.startsWith(`--${name}`),
      ),
    );
    const shown = (first ?? `--${names[0]}`).replace(/=.*$/, '');
    const isLong = shown.startsWith('--');
    const known = Object.keys(options).filter((name) => options[name]?.type !== 'refused');
    const hint = isLong
      ? await didYouMean(shown.slice(2), [...known, 'help', 'version'], '--')
      : '; text that begins with a dash goes after --';
    return `unknown flag ${shown}${hint} (see chat --help)`;
  }
  const valueless = /^Not enough arguments following: (.*)$/.exec(message);
  if (valueless !== null) {
    const name = valueless[1] ?? '';
    return `${name.length === 1 ? '-' : '--'}${name} needs a value`;
  }
  return message;
}

/** Adds commands to a parser, which tells of each that is on the way to the one that was typed, and of that one. */
function register(
  parser: Argv,
  list: readonly CommandEntry[],
  path: readonly string[],
  forHelp: boolean,
  tell: { loaded(command: Command): void; found(line: ParsedLine): void },
): void {
  for (const entry of list) {
    const ownPath = [...path, entry.name];
    let loaded: Command | undefined;
    parser.command({
      command: entry.name,
      // The first help lists them itself, by what they are about.
      describe: entry.hidden === true || (forHelp && path.length === 0) ? false : entry.summary,
      builder: async (own: Argv) => {
        loaded = await entry.load();
        tell.loaded(loaded);
        const { usage, description, options, examples, subcommands = [] } = loaded;
        if (forHelp) hideGlobals(own, Object.keys(options));
        declare(own, options, 'Flags:', forHelp);
        register(own, subcommands, ownPath, forHelp, tell);
        if (!forHelp) return own;
        for (const [commandLine, what] of examples) own.example(commandLine, what);
        const forms = usage.map((form) => `chat ${form}`).join('\n');
        return own.usage(`${forms}\n\n${description}`).epilogue(exitCodeHelp);
      },
      handler: ({ _: words, $0: _script, ...flags }) => {
        if (loaded === undefined) return;
        tell.found({
          path: ownPath,
          command: loaded,
          raw: Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, unshieldValue(value)])),
          operands: words.slice(ownPath.length).map((word) => unshield(String(word))),
        });
      },
    });
  }
}

/** Longer lines are hard to read, however wide the terminal is. */
const maxHelpColumns = 110;

/** A command line that yargs does not take, with its own text. */
class YargsRefusal extends Error {}

/** Sets yargs up to read and nothing else: it never prints, exits, guesses a language, or changes a word. */
function createParser(columns: number, forHelp: boolean): Argv {
  // The directory is for what chat does not use; yargs would ask for the current one, which may be gone.
  const parser = yargs([], '/')
    .scriptName('chat')
    .exitProcess(false)
    .detectLocale(false)
    .version(false)
    .wrap(columns)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .help('help', 'show what a command does, its flags, examples and exit codes')
    .alias('help', 'h')
    .option('version', { type: 'boolean', describe: 'show the version', group: 'Global flags:' })
    .strictOptions()
    .fail((message, error) => {
      throw error ?? new YargsRefusal(message);
    });
  declare(parser, globalOptions, 'Global flags:', forHelp);
  if (!forHelp) return parser;
  return parser.group('help', 'Global flags:').epilogue(exitCodeHelp);
}

/**
 * yargs draws the help of each command that it has found, in case that its handler fails later: a tenth of a command's time. Ours
 * only say what was typed. Costs its time again, and no more, where a yargs does it in another way.
 */
function drawNoHelpAhead(parser: Argv): void {
  const { getInternalMethods } = parser as {
    getInternalMethods?(this: Argv): { getUsageInstance(): { cacheHelpMessage(): void } };
  };
  const usage = getInternalMethods?.call(parser).getUsageInstance();
  if (usage !== undefined) usage.cacheHelpMessage = () => {};
}

/** Runs yargs once; help that was asked for comes as text. */
async function parseOnce(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  columns: number,
  forHelp = false,
) {
  let line: ParsedLine | undefined;
  let help = '';
  let typed: Command | undefined;
  const parser = createParser(columns, forHelp);
  drawNoHelpAhead(parser);
  // One that no help names is no guess of what was meant either.
  const typable = entries.filter(({ name, hidden }) => hidden !== true || argv.includes(name));
  register(parser, typable, [], forHelp, {
    loaded: (command) => {
      typed = command;
    },
    found: (it) => {
      line = it;
    },
  });
  try {
    const parsed = await parser.parseAsync(prepare(argv), {}, (_error, _args, output) => {
      help = output;
    });
    return { parser, parsed, line, help, typed };
  } catch (error) {
    // What is wrong with a flag's value does not go through `fail` in every case.
    const isYargs = error instanceof YargsRefusal || (error instanceof Error && error.name === 'YError');
    if (!isYargs) throw error;
    throw usageError(await explain(error.message, argv, { ...globalOptions, ...typed?.options }));
  }
}

/** The help of the command that was typed, or of `chat` itself. */
async function helpText(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  columns: number,
): Promise<string> {
  const { topHelp } = await import('./help.ts');
  const { parser, help, typed } = await parseOnce(argv, entries, columns, true);
  if (typed !== undefined) return help;
  return `${topHelp(entries, columns)}\n\n${(help || (await parser.getHelp())).trimStart()}`;
}

/** The text of `chat help TOPIC`; undefined when what follows `help` leads to a command, and refused when to nothing. */
async function topicOf(
  words: readonly string[],
  entries: readonly CommandEntry[],
  columns: number,
): Promise<string | undefined> {
  // Of a word beside flags only yargs can say whether it belongs to one.
  if (words.some((word) => word.startsWith('-'))) return undefined;
  const { topics } = await import('./help.ts');
  const topic = words.length === 1 ? topics.find(({ name }) => name === words[0]) : undefined;
  if (topic !== undefined) return topic.text(columns);
  let list = entries;
  for (const [depth, word] of words.entries()) {
    const entry = list.find(({ name }) => name === word);
    if (entry === undefined) {
      const known = list.filter(({ hidden }) => hidden !== true).map(({ name }) => name);
      const hint = await didYouMean(
        word,
        depth === 0 ? [...known, ...topics.map(({ name }) => name)] : known,
      );
      throw usageError(`no help for ${JSON.stringify(words.join(' '))}${hint} (see chat --help)`);
    }
    list = (await entry.load()).subcommands ?? [];
  }
  return undefined;
}

/**
 * Reads a command line against the list; throws `invalid` (exit 2) for one that does not fit. yargs lays the help out at
 * every parse, for 15 ms: so the texts are given to it in a second parse, when help is wanted. `width` is the terminal's.
 */
export async function parseCommandLine(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  width: number,
): Promise<Parsed> {
  const columns = Math.min(width, maxHelpColumns);
  if (argv[0] === 'help') {
    const topic = await topicOf(argv.slice(1), entries, columns);
    if (topic !== undefined) return { kind: 'help', text: topic };
  }
  const { parsed, line, help } = await parseOnce(argv, entries, columns);
  if (help !== '') return { kind: 'help', text: await helpText(argv, entries, columns) };
  if (line !== undefined) {
    if (line.raw.version === true) return { kind: 'version', raw: line.raw };
    refuseValues(argv, { ...globalOptions, ...line.command.options });
    await checkOperands(line);
    return { kind: 'command', line };
  }
  refuseValues(argv, globalOptions);
  const { _: words, $0: _script, ...raw } = parsed;
  if (raw.version === true) return { kind: 'version', raw };
  if (words.length > 0) {
    const word = unshield(String(words[0]));
    const known = entries.filter(({ hidden }) => hidden !== true).map(({ name }) => name);
    const hint = await didYouMean(word, [...known, 'help']);
    throw usageError(`unknown command ${JSON.stringify(word)}${hint} (see chat --help)`);
  }
  return { kind: 'nothing', raw, text: await helpText(argv, entries, columns) };
}

async function checkOperands({ command, operands, path }: ParsedLine): Promise<void> {
  const { min, max, names } = command.operands;
  if (operands.length < min) throw usageError(`chat ${path.join(' ')} needs ${names}`);
  const extra = operands[max];
  if (extra !== undefined) {
    const subcommands = (command.subcommands ?? []).map(({ name }) => name);
    const hint = await didYouMean(extra, subcommands);
    throw usageError(
      `chat ${path.join(' ')}: unexpected ${JSON.stringify(extra)}${hint} (see chat ${path.join(' ')} --help)`,
    );
  }
  if (operands.includes('') && command.operands.max !== Number.POSITIVE_INFINITY) {
    throw usageError(`chat ${path.join(' ')}: an argument is empty`);
  }
}
