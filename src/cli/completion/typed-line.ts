import type { Command, CommandEntry, OperandKind } from '../command.ts';
import type { Option, OptionTable } from '../options.ts';
import { globalOptions } from '../settings.ts';

/** What was typed before the word that is being completed. */
export interface TypedLine {
  /** The command at hand; undefined before any. */
  readonly command: Command | undefined;
  /** The commands of which one may come next. */
  readonly next: readonly CommandEntry[];
  readonly operands: readonly string[];
  /** The flags that stand there by their long names, with their values; a bare one is true. */
  readonly given: Readonly<Record<string, string | true>>;
  /** The flag whose value the next word is. */
  readonly awaiting: Option | undefined;
  /** True after `--`: no word is a flag any more. */
  readonly isPlain: boolean;
  /** True after a first `help`, which takes commands and nothing else. */
  readonly isHelp: boolean;
}

/** What every command takes without declaring it. */
const ownFlags = {
  help: {
    type: 'flag',
    alias: 'h',
    describe: 'show what a command does, its flags, examples and exit codes',
  },
  version: { type: 'flag', describe: 'show the version' },
} as const satisfies OptionTable;

/** The flags that fit a command: its own first, and in place of a global one of the same name. */
export function flagsOf(command: Command | undefined): OptionTable {
  return { ...command?.options, ...withoutThose(globalOptions, command?.options ?? {}), ...ownFlags };
}

function withoutThose(table: OptionTable, others: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !Object.hasOwn(others, name)));
}

const takesValue = (option: Option | undefined): boolean => option !== undefined && option.type !== 'flag';

/** A flag as it was typed: `--output`, `--output=json`, `-o`, `-ojson`, or several letters of which the last may take a value. */
export interface TypedFlag {
  /** Known ones by their long names. */
  readonly names: readonly string[];
  readonly last: Option | undefined;
  /** Up to the value and its `=`. */
  readonly lead: string;
  /** Undefined when none was typed with it. */
  readonly value: string | undefined;
}

/** Takes a word that begins with a dash apart. */
export function readFlag(word: string, flags: OptionTable): TypedFlag {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const option = Object.hasOwn(flags, name) ? flags[name] : undefined;
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    return {
      names: option === undefined ? [] : [name],
      last: option,
      lead: equals < 0 ? word : word.slice(0, equals + 1),
      value,
    };
  }
  const names: string[] = [];
  for (let at = 1; at < word.length; at += 1) {
    const [name, option] = Object.entries(flags).find(([, { alias }]) => alias === word.charAt(at)) ?? [];
    if (name !== undefined) names.push(name);
    if (!takesValue(option)) continue;
    const valueAt = word.charAt(at + 1) === '=' ? at + 2 : at + 1;
    const value = at + 1 < word.length ? word.slice(valueAt) : undefined;
    return { names, last: option, lead: word.slice(0, valueAt), value };
  }
  return { names, last: undefined, lead: word, value: undefined };
}

/** Reads the words before the one that is being completed, as a parse of the whole line would; what it would refuse is passed over. */
export async function readTypedLine(
  words: readonly string[],
  list: readonly CommandEntry[],
): Promise<TypedLine> {
  let command: Command | undefined;
  let next = list;
  let awaiting: { readonly name: string; readonly option: Option } | undefined;
  let isPlain = false;
  let isHelp = false;
  const operands: string[] = [];
  const given: Record<string, string | true> = {};
  for (const [index, word] of words.entries()) {
    if (awaiting !== undefined) {
      given[awaiting.name] = word;
      awaiting = undefined;
    } else if (!isPlain && word === '--') {
      isPlain = true;
    } else if (!isPlain && /^-./.test(word)) {
      const { names, last, value } = readFlag(word, flagsOf(command));
      for (const name of names) given[name] = true;
      const name = names.at(-1);
      if (name === undefined || last === undefined || !takesValue(last)) continue;
      if (value === undefined) awaiting = { name, option: last };
      else given[name] = value;
    } else if (index === 0 && word === 'help') {
      isHelp = true;
    } else {
      const entry = operands.length > 0 || isPlain ? undefined : next.find(({ name }) => name === word);
      if (entry === undefined) {
        operands.push(word);
        next = [];
      } else {
        command = await entry.load();
        next = command.subcommands ?? [];
      }
    }
  }
  return { command, next, operands, given, awaiting: awaiting?.option, isPlain, isHelp };
}

/** What the next word that is no flag would be; undefined when the command takes no more. */
export function nextOperand({ command, operands, isHelp }: TypedLine): OperandKind | undefined {
  if (command === undefined || isHelp || operands.length >= command.operands.max) return undefined;
  const { complete = [] } = command.operands;
  return complete[operands.length] ?? complete.at(-1) ?? 'text';
}
