import { ChatError } from '../core/errors.ts';
import { uuidV7 } from '../core/random.ts';

/** What a line says besides its event; never a secret, never a message's text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The server's log: one event a line. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  /** Like `info`, for what belongs on record: it is no talk, and is written also when talk is not wanted. */
  record(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** Logs an exception with its stack; answers the id that callers are given in its place. */
  failure(event: string, error: unknown, errorId?: string): string;
}

/** Takes one line of a log at a time, without its end; `isTalk` when it is neither on record nor a warning or failure. */
export type LogWriter = (line: string, isTalk: boolean) => void;

/** Builds a log. */
export function createLog(format: 'text' | 'json', write: LogWriter): Log {
  function spell(level: 'info' | 'warn' | 'error', event: string, fields: LogFields): string {
    const at = new Date().toISOString();
    return format === 'json'
      ? escaped(JSON.stringify({ at, level, event, ...fields }))
      : text(at, level, event, fields);
  }
  return {
    info: (event, fields = {}) => write(spell('info', event, fields), true),
    record: (event, fields = {}) => write(spell('info', event, fields), false),
    warn: (event, fields = {}) => write(spell('warn', event, fields), false),
    failure(event, error, errorId = uuidV7()) {
      write(spell('error', event, { error_id: errorId, error: described(error) }), false);
      return errorId;
    },
  };
}

function text(at: string, level: string, event: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${shown(String(value))}`);
  return [at, level, event, ...pairs].join(' ');
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
