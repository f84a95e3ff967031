import { ChatError } from '../core/errors.ts';
import { escapeForTerminal, jsonLine } from './escape.ts';
import type { Host, TextSink } from './host.ts';

/** How results are spelled on stdout and errors on stderr. */
export type OutputFormat = 'text' | 'json';

/** What a person asked to hear. */
export interface OutputSettings {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** False with `--no-color` or `NO_COLOR`; a sink that is no terminal gets no colour either way. */
  readonly color: boolean;
  /** True when nothing that was written may be drawn over. */
  readonly screenReader: boolean;
}

/** Paints text, or leaves it as it is. */
export interface Paint {
  name(text: string): string;
  faint(text: string): string;
  error(text: string): string;
}

/** The only way in which a command speaks. */
export interface Output {
  readonly format: OutputFormat;
  /**
   * Writes one result to stdout: `record` as one line of JSON, or `text`, lines already safe for a terminal.
   * Answers as {@link TextSink.write} does.
   */
  result(record: object, text: string | readonly string[]): Promise<void> | undefined;
  /** One line of talk on stderr; silent with `--quiet`. */
  note(text: string): Promise<void>;
  /** One line of a log on stderr, also with `--quiet`. */
  log(text: string): Promise<void>;
  /** One line of talk for `--verbose`. */
  detail(text: string): Promise<void>;
  /** Shows how far long work is, when stderr is a terminal; a function is asked only then, and undefined wipes it. */
  progress(text: string | (() => string) | undefined): void;
  /** Paints for stdout. */
  paint(): Promise<Paint>;
}

const plain: Paint = { name: (text) => text, faint: (text) => text, error: (text) => text };

/** True for a terminal that knows nothing but to write on. */
export function isDumb(env: Host['env']): boolean {
  return env.TERM === 'dumb';
}

/** True when `sink` is to be coloured; NO_COLOR counts when it is not empty (no-color.org). */
function wantsColor(sink: TextSink, settings: OutputSettings, env: Host['env']): boolean {
  return settings.color && settings.format === 'text' && sink.isTerminal && !isDumb(env);
}

/** Loads chalk only when there is something to colour. */
async function paintFor(sink: TextSink, settings: OutputSettings, env: Host['env']): Promise<Paint> {
  if (!wantsColor(sink, settings, env)) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { name: chalk.cyan, faint: chalk.dim, error: chalk.red };
}

/** Talk is lost, not fatal, when nobody reads stderr any more or its disk is full: there is nowhere to say so. */
async function talk(sink: TextSink, text: string): Promise<void> {
  try {
    await sink.write(text);
  } catch {}
}

/** A person sees no more than ten steps a second. */
const progressEveryMs = 100;

/** Binds the sinks to what the person asked for. */
export function createOutput(host: Host, settings: OutputSettings): Output {
  let painted: Promise<Paint> | undefined;
  let lastProgressAt = Number.NEGATIVE_INFINITY;
  return {
    format: settings.format,
    result(record, text) {
      if (settings.format === 'json') return host.stdout.write(jsonLine(record));
      const lines = typeof text === 'string' ? [text] : text;
      if (lines.length === 0) return undefined;
      return host.stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    async note(text) {
      if (!settings.quiet) await talk(host.stderr, `${escapeForTerminal(text)}\n`);
    },
    log: (text) => talk(host.stderr, `${escapeForTerminal(text)}\n`),
    async detail(text) {
      if (settings.verbose) await talk(host.stderr, `${escapeForTerminal(text)}\n`);
    },
    progress(text) {
      if (settings.quiet || settings.screenReader || !host.stderr.isTerminal || isDumb(host.env)) return;
      const now = performance.now();
      if (text !== undefined && now - lastProgressAt < progressEveryMs) return;
      lastProgressAt = now;
      const shown = typeof text === 'function' ? text() : (text ?? '');
      void talk(host.stderr, `\r\u001b[K${shown}`);
    },
    paint() {
      painted ??= paintFor(host.stdout, settings, host.env);
      return painted;
    },
  };
}

/** What an error looks like to the person: an unknown one is a bug and shows its text, its stack only on request. */
function describe(error: unknown): {
  code: string;
  message: string;
  field?: string;
  retry_after_ms?: number;
  error_id?: string;
} {
  if (error instanceof ChatError) {
    const { field, retryAfterMs, errorId } = error.details;
    return {
      code: error.code,
      message: error.message,
      ...(field === undefined ? {} : { field }),
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
      ...(errorId === undefined ? {} : { error_id: errorId }),
    };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

/** Writes an error to stderr, also with `--quiet`: one line of text, or `{"error":{"code","message"}}`. */
export async function reportError(host: Host, settings: OutputSettings, error: unknown): Promise<void> {
  const described = describe(error);
  if (settings.format === 'json') {
    await talk(host.stderr, jsonLine({ error: described }));
  } else {
    const paint = await paintFor(host.stderr, settings, host.env);
    const retry =
      described.retry_after_ms === undefined
        ? ''
        : ` (try again in ${Math.ceil(described.retry_after_ms / 1000)} s)`;
    const id = described.error_id === undefined ? '' : ` (error id ${described.error_id})`;
    const message = escapeForTerminal(`${described.message}${retry}${id}`);
    await talk(host.stderr, `${paint.error('chat:')} ${message}\n`);
  }
  if (settings.verbose && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      const stack = (cause.stack ?? cause.message).split('\n').map(escapeForTerminal).join('\n');
      await talk(host.stderr, `${stack}\n`);
    }
  }
}
