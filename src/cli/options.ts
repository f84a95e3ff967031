import { ChatError } from '../core/errors.ts';

interface OptionBase {
  readonly describe: string;
  /** One letter, without its dash. */
  readonly alias?: string;
  /** The variable that is read when the flag is absent. */
  readonly env?: string;
}

/** A flag that is there or not. */
export interface FlagOption extends OptionBase {
  readonly type: 'flag';
}

/** A flag with text, never empty. */
export interface TextOption extends OptionBase {
  readonly type: 'text';
  /** What stands for the value in help. */
  readonly value: string;
  /** True when it may be given more than once: the values come with a blank between them. */
  readonly repeats?: true;
  /** What a shell may offer for the value: files, names of contexts, a few words; nothing when left out. */
  readonly complete?: 'file' | 'context' | readonly string[];
}

/** A flag with one of a few words. */
export interface ChoiceOption<Choice extends string = string> extends OptionBase {
  readonly type: 'choice';
  readonly choices: readonly Choice[];
}

/** A flag with a number between `min` and `max`, both included. */
export interface NumberOption extends OptionBase {
  readonly type: 'number';
  readonly value: string;
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

/** A flag that others have and `chat` refuses, with the reason as its text; not shown in help. */
export interface RefusedOption extends OptionBase {
  readonly type: 'refused';
}

export type Option = FlagOption | TextOption | ChoiceOption | NumberOption | RefusedOption;

/** A command's flags by their long names, without dashes. */
export type OptionTable = Readonly<Record<string, Option>>;

/** What a flag's value is once it was checked; a flag that was not given is undefined (false for a bare one). */
export type OptionValue<O extends Option> = O extends FlagOption
  ? boolean
  : O extends RefusedOption
    ? undefined
    : O extends NumberOption
      ? number | undefined
      : O extends ChoiceOption<infer Choice>
        ? Choice | undefined
        : string | undefined;

/** The checked values of a table. */
export type OptionValues<T extends OptionTable> = { readonly [Name in keyof T]: OptionValue<T[Name]> };

/** A command line that does not fit: exit code 2. */
export function usageError(message: string, field?: string): ChatError {
  return new ChatError('invalid', message, field === undefined ? {} : { field });
}

/** A value that is none of a flag's few words; what may have been meant is added where it is told. */
export class UnknownChoice extends ChatError {
  readonly given: string;
  readonly choices: readonly string[];

  constructor(label: string, given: string, choices: readonly string[], hint = '') {
    super('invalid', `${label} takes ${choices.join(', ')}, not ${JSON.stringify(given)}${hint}`, {
      field: label,
    });
    this.given = given;
    this.choices = choices;
  }

  /** The same with what may have been meant. */
  async withHint(): Promise<UnknownChoice> {
    const { didYouMean } = await import('./did-you-mean.ts');
    const { given, choices } = this;
    return new UnknownChoice(String(this.details.field), given, choices, didYouMean(given, choices));
  }
}

/** `--timeout` for connecting, sending and waiting, in seconds with decimals. */
export function timeoutOption(describe: string): NumberOption & { readonly type: 'number' } {
  return { type: 'number', value: 'S', min: 0.001, max: 86_400, whole: false, describe };
}

function checkNumber(label: string, option: NumberOption, given: string): number {
  const kind = option.whole ? 'a whole number' : 'a number';
  const number = /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  const fits =
    number >= option.min && number <= option.max && (!option.whole || Number.isSafeInteger(number));
  if (!fits) {
    const range =
      option.max >= Number.MAX_SAFE_INTEGER
        ? `of ${option.min} or more`
        : `from ${option.min} to ${option.max}`;
    throw usageError(`${label} takes ${kind} ${range}, not ${JSON.stringify(given)}`, label);
  }
  return number;
}

/** Checks a value that was given as text; errors begin with `label`: the flag, the variable, or the place in a file. */
export function checkValue(
  label: string,
  option: Exclude<Option, FlagOption | RefusedOption>,
  given: string,
): string | number {
  if (given === '') throw usageError(`${label} must not be empty`, label);
  if (option.type === 'number') return checkNumber(label, option, given);
  if (option.type === 'choice' && !option.choices.includes(given)) {
    throw new UnknownChoice(label, given, option.choices);
  }
  return given;
}

/** Words that switch a flag on or off in an environment variable. */
const switches: Readonly<Record<string, boolean>> = { '1': true, true: true, '0': false, false: false };

/** Reads a flag's environment variable. */
export function readSwitch(variable: string, given: string): boolean {
  const switched = Object.hasOwn(switches, given) ? switches[given] : undefined;
  if (switched === undefined)
    throw usageError(`${variable} takes 1 or 0, not ${JSON.stringify(given)}`, variable);
  return switched;
}

function readOne(
  name: string,
  option: Option,
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
): boolean | string | number | undefined {
  const label = `--${name}`;
  if (option.type === 'refused') {
    if (raw !== undefined) throw usageError(`${label}: ${option.describe}`, label);
    return undefined;
  }
  if (option.type === 'flag') {
    if (raw === true) return true;
    const fromEnv = option.env === undefined ? undefined : env[option.env];
    return fromEnv === undefined || option.env === undefined ? false : readSwitch(option.env, fromEnv);
  }
  if (Array.isArray(raw) && option.type === 'text' && option.repeats) {
    return raw.map((one) => checkValue(label, option, String(one))).join(' ');
  }
  if (Array.isArray(raw)) throw usageError(`${label} is given more than once; give it once`, label);
  if (raw !== undefined) return checkValue(label, option, String(raw));
  const fromEnv = option.env === undefined ? undefined : env[option.env];
  return fromEnv === undefined || option.env === undefined
    ? undefined
    : checkValue(option.env, option, fromEnv);
}

/**
 * Checks what the command line gave for each flag of `table`, and reads the environment for those not given:
 * flag, environment, then undefined. Throws `invalid` (exit 2) naming the flag or the variable.
 */
export function readOptions<T extends OptionTable>(
  table: T,
  raw: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): OptionValues<T> {
  const values = Object.entries(table).map(
    ([name, option]) => [name, readOne(name, option, raw[name], env)] as const,
  );
  return Object.fromEntries(values) as OptionValues<T>;
}

/** Refuses two flags that contradict each other. */
export function refuseBoth(
  values: Readonly<Record<string, unknown>>,
  one: string,
  other: string,
  why: string,
): void {
  const given = (name: string) => values[name] !== undefined && values[name] !== false;
  if (given(one) && given(other)) {
    throw usageError(`--${one} and --${other} cannot be given together: ${why}`, `--${other}`);
  }
}
