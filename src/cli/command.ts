import type { Configuration } from './configuration.ts';
import type { Host } from './host.ts';
import type { OptionTable, OptionValues } from './options.ts';
import type { Output } from './output.ts';
import type { Settings } from './settings.ts';

/** What a command gets besides its own flags. */
export interface CommandContext {
  readonly host: Host;
  readonly settings: Settings;
  /** Where the settings come from, and what does not fit in them. */
  readonly configuration: Configuration;
  readonly output: Output;
  /** Every command there is. */
  readonly commands: readonly CommandEntry[];
  /** Aborts when the process is asked to end, and when the run is over. */
  readonly signal: AbortSignal;
}

/** What was typed after the command's name, flags checked. */
export interface CommandArguments<T extends OptionTable = OptionTable> {
  readonly options: OptionValues<T>;
  /** Everything that is no flag, byte for byte as typed. */
  readonly operands: readonly string[];
}

/**
 * What a word of a command is, so that a shell can complete it: a name that the server or this machine knows, a file,
 * one of a few words, or text that nobody can guess.
 */
export type OperandKind = 'conversation' | 'room' | 'user' | 'context' | 'file' | 'text' | readonly string[];

/** The words besides flags that a command takes. */
export interface Operands {
  readonly min: number;
  readonly max: number;
  /** What they are called when one is missing. */
  readonly names: string;
  /** What they are, by place; the last one stands for all that follow. Left out: text. */
  readonly complete?: readonly OperandKind[];
}

/** One subcommand as data: its flags, its help, and what it does. */
export interface Command<T extends OptionTable = OptionTable> {
  /** How it is typed, one line a form, without `chat`. */
  readonly usage: readonly string[];
  /** What it does, for its help. */
  readonly description: string;
  readonly options: T;
  readonly operands: Operands;
  /** A command line and what it does. */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  readonly subcommands?: readonly CommandEntry[];
  /** True for a command that ends by itself when it is signalled; the others are dropped where they are. */
  readonly handlesSignals?: boolean;
  /** True for a command that goes on when its terminal goes away (SIGHUP). */
  readonly outlivesTerminal?: boolean;
  /**
   * `with-problems`: runs although a setting does not fit, which its default stands for then. `without-files`: flags and
   * environment alone; its own `--config` may name something else. Otherwise a setting that does not fit is an error.
   */
  readonly settings?: 'with-problems' | 'without-files';
  /** Answers the exit code. */
  run(args: CommandArguments<T>, context: CommandContext): Promise<number>;
}

/** What commands are about, in the order of the help. */
export const commandGroups = ['Messages', 'People and rooms', 'Account', 'Settings', 'Server'] as const;

/** A command in a list: its file is loaded when it is the one that was typed. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** True for one that programs call: no help names it, and no shell offers it. */
  readonly hidden?: boolean;
  /** Under which heading the help of `chat` lists it; subcommands have none. */
  readonly group?: (typeof commandGroups)[number];
  load(): Promise<Command>;
}

/** Declares a command, so that `run` gets the types of its own flags. */
export function command<const T extends OptionTable>(definition: Command<T>): Command<T> {
  return definition;
}

/** For commands without words of their own. */
export const noOperands = { min: 0, max: 0, names: '' } as const;
