import type { CommandEntry, OperandKind } from '../command.ts';
import type { Option } from '../options.ts';
import { flagsOf, nextOperand, readFlag, readTypedLine, type TypedLine } from './typed-line.ts';

/** A word that could stand where the cursor is. */
export interface Candidate {
  readonly word: string;
  /** What it is, in a few words; may be empty. */
  readonly describe: string;
}

/** What could stand where the cursor is. */
export type Candidates =
  | {
      readonly kind: 'words';
      /** What stands before each of them in the same word: `--output=`, or nothing. */
      readonly lead: string;
      /** Whether or not they begin with what was typed, since shells have their own ideas of what fits. */
      readonly words: readonly Candidate[];
    }
  /** The shell knows its files best. */
  | { readonly kind: 'files' };

/** Flags as they were typed, which say what server and context are meant. */
export type TypedFlags = TypedLine['given'];

/** Asks for names that only a server or this machine's files know. Answers none when there are none to be had; never throws. */
export interface NameSource {
  /** `#room`. */
  rooms(flags: TypedFlags): Promise<readonly Candidate[]>;
  /** `@user`. */
  users(flags: TypedFlags): Promise<readonly Candidate[]>;
  contexts(): Promise<readonly Candidate[]>;
}

const words = (found: readonly Candidate[], lead = ''): Candidates => ({ kind: 'words', lead, words: found });
const plainWords = (names: readonly string[]): Candidate[] => names.map((word) => ({ word, describe: '' }));

/** Names may be typed without their sign where only one kind can stand. */
function withSignAsTyped(found: readonly Candidate[], current: string, sign: string): readonly Candidate[] {
  if (current === '' || current.startsWith(sign)) return found;
  return found.map(({ word, describe }) => ({ word: word.slice(1), describe }));
}

async function valuesOf(option: Option, lead: string, names: NameSource): Promise<Candidates> {
  if (option.type === 'choice') return words(plainWords(option.choices), lead);
  if (option.type !== 'text') return words([], lead);
  const { complete = [] } = option;
  if (complete === 'file') return { kind: 'files' };
  return words(complete === 'context' ? await names.contexts() : plainWords(complete), lead);
}

function flagNames(line: TypedLine): Candidate[] {
  return Object.entries(flagsOf(line.command))
    .filter(([name, { type }]) => type !== 'refused' && line.given[name] === undefined)
    .map(([name, { describe }]) => ({ word: `--${name}`, describe }));
}

/** Rooms and users that are not named yet; the server is only asked for what the first character leaves possible. */
async function conversations(current: string, flags: TypedFlags, names: NameSource): Promise<Candidate[]> {
  const mayBe = (sign: string) => current === '' || current.startsWith(sign);
  const found = await Promise.all([
    mayBe('#') ? names.rooms(flags) : [],
    mayBe('@') ? names.users(flags) : [],
  ]);
  return found.flat();
}

async function operandsOf(
  kind: OperandKind,
  current: string,
  flags: TypedFlags,
  names: NameSource,
): Promise<readonly Candidate[]> {
  switch (kind) {
    case 'conversation':
      return await conversations(current, flags, names);
    case 'room':
      return withSignAsTyped(await names.rooms(flags), current, '#');
    case 'user':
      return withSignAsTyped(await names.users(flags), current, '@');
    case 'context':
      return await names.contexts();
    case 'file':
    case 'text':
      return [];
    default:
      return plainWords(kind);
  }
}

/**
 * Finds what could stand in the place of the last of `typed`, the words behind `chat`: commands, flags, their values,
 * names. What a command takes comes from its own definition in `list`.
 */
export async function findCandidates(
  typed: readonly string[],
  list: readonly CommandEntry[],
  names: NameSource,
): Promise<Candidates> {
  const current = typed.at(-1) ?? '';
  const line = await readTypedLine(typed.slice(0, -1), list);
  if (line.awaiting !== undefined) return await valuesOf(line.awaiting, '', names);
  if (!line.isPlain && current.startsWith('-')) {
    const { last, lead, value } = readFlag(current, flagsOf(line.command));
    if (value !== undefined) return last === undefined ? words([]) : await valuesOf(last, lead, names);
    return words(flagNames(line));
  }
  const commands = line.isPlain ? [] : line.next.filter(({ hidden }) => hidden !== true);
  const isTopicNext = line.isHelp && line.command === undefined && line.operands.length === 0;
  const topics = isTopicNext ? (await import('../help.ts')).topics : [];
  const subcommands = [...commands, ...topics].map(({ name, summary }) => ({
    word: name,
    describe: summary,
  }));
  const kind = nextOperand(line);
  if (kind === undefined) {
    // Nothing else is left to say.
    const isFull = line.operands.length === line.command?.operands.max && subcommands.length === 0;
    return words(isFull && current === '' && !line.isPlain && !line.isHelp ? flagNames(line) : subcommands);
  }
  if (kind === 'file') return { kind: 'files' };
  const operands = await operandsOf(kind, current, line.given, names);
  return words([...subcommands, ...operands.filter(({ word }) => !line.operands.includes(word))]);
}
