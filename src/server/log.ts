import { pino } from 'pino';
import { ChatError } from '../core/errors.ts';
import { uuidV7 } from '../core/random.ts';
import type { LogLevel } from './log-levels.ts';

/** What a line says besides its event; never a secret, never a message's text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The server's log: one event a line, by a name that stays; what people should know of it is in the field `note`. */
export interface Log {
  /** For who looks for something: left out unless it is asked for. */
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  /** Like `info`, for what belongs on record: it is no talk, and is written whatever the level is. */
  record(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** Logs an exception with its stack, whatever the level is; answers the id that callers are given in its place. */
  failure(event: string, error: unknown, errorId?: string, fields?: LogFields): string;
}

/** Takes one line of a log at a time, without its end; `isTalk` when it is neither on record nor a warning or failure. */
export type LogWriter = (line: string, isTalk: boolean) => void;

/** How a log is spelled, and how much of it. */
export interface LogOptions {
  readonly format: 'text' | 'json';
  readonly level?: LogLevel;
}

/** Fields that no event has: should one ever be given, it does not leave. */
const secretFields = [
  'password',
  'hashed_password',
  'token',
  'session_token',
  'refresh_token',
  'secret',
  'proof',
  'authorization',
  'cookie',
];

/**
 * Builds a log. pino spells and filters the lines and hands each of them over within the call: there is no thread, no queue and no file of
 * its own, so nothing is lost that `write` has taken.
 */
export function createLog({ format, level = 'info' }: LogOptions, write: LogWriter): Log {
  let isTalk = false;
  const destination = {
    write(line: string): void {
      const json = escaped(line.trimEnd());
      write(format === 'json' ? json : textOf(JSON.parse(json) as Line), isTalk);
    },
  };
  const options = {
    base: null,
    messageKey: 'event',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretFields, censor: '[redacted]' },
  };
  const leveled = pino({ ...options, level }, destination);
  const always = pino({ ...options, level: 'info' }, destination);

  function put(by: typeof always, as: LogLevel, event: string, fields: LogFields, talk: boolean): void {
    isTalk = talk;
    by[as](fields, event);
  }

  return {
    debug: (event, fields = {}) => put(leveled, 'debug', event, fields, true),
    info: (event, fields = {}) => put(leveled, 'info', event, fields, true),
    record: (event, fields = {}) => put(always, 'info', event, fields, false),
    warn: (event, fields = {}) => put(leveled, 'warn', event, fields, false),
    failure(event, error, errorId = uuidV7(), fields = {}) {
      put(always, 'error', event, { error_id: errorId, ...fields, error: described(error) }, false);
      return errorId;
    },
  };
}

/** A line as JSON has it. */
interface Line {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: string | number | boolean;
}

function textOf({ time, level, event, ...fields }: Line): string {
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${shown(String(value))}`);
  return [time, level, event, ...pairs].join(' ');
}

/** A value as it is when it is one plain word, otherwise quoted: it can forge neither a field nor a line (ASVS 16.4.1). */
function shown(value: string): string {
  return /^[\w.:/@#+,-]+$/.test(value) ? value : escaped(JSON.stringify(value));
}

/** Control characters, bidi marks and other format characters as `\uXXXX`; JSON alone escapes only some. */
function escaped(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** An exception with its causes; stacks are for the log alone (ASVS 16.5.1). */
function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof ChatError ? `${error.code}: ${error.message}` : (error.stack ?? error.message);
  return error.cause === undefined ? own : `${own}\ncaused by ${described(error.cause)}`;
}
