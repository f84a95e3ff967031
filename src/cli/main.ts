import { ChatError } from '../core/errors.ts';
import { type ParsedLine, parseCommandLine } from './arguments.ts';
import type { CommandContext, CommandEntry } from './command.ts';
import { commands } from './commands/index.ts';
import { exitBySignal, exitCodes, exitOk } from './exit-codes.ts';
import { BrokenPipe, canPrompt, type EndSignal, type Host, PromptLeft, TerminalGone } from './host.ts';
import { readOptions, UnknownChoice } from './options.ts';
import { createOutput, isDumb, type OutputSettings, reportError } from './output.ts';

/** Thrown into the race when a signal asks for the end. */
class Signalled extends Error {
  override readonly name = 'Signalled';
  readonly signal: EndSignal;

  constructor(signal: EndSignal) {
    super(signal);
    this.signal = signal;
  }
}

/** How to spell an error that comes before the flags are understood: JSON when it was asked for in any spelling. */
function guessOutput(argv: readonly string[]): OutputSettings {
  const end = argv.indexOf('--');
  const words = (end < 0 ? argv : argv.slice(0, end)).join(' ');
  const json = /(^| )(--output|-o)[= ]json( |$)/.test(words);
  return { format: json ? 'json' : 'text', quiet: false, verbose: false, color: false, screenReader: false };
}

/** The exit code that `error` ends a process with. */
function exitCodeOf(error: unknown): number {
  if (error instanceof BrokenPipe) return exitOk;
  if (error instanceof Signalled) return exitBySignal[error.signal];
  if (error instanceof PromptLeft) return exitBySignal.SIGINT;
  if (error instanceof TerminalGone) return exitBySignal.SIGHUP;
  return exitCodes[error instanceof ChatError ? error.code : 'internal'];
}

const isSilent = (error: unknown): boolean =>
  error instanceof BrokenPipe ||
  error instanceof Signalled ||
  error instanceof PromptLeft ||
  error instanceof TerminalGone;

/** `chat` alone at a terminal is a chat. */
async function interactiveLine(raw: ParsedLine['raw']): Promise<ParsedLine> {
  const { interactive } = await import('./interactive/interactive.ts');
  return { path: [], command: interactive, raw, operands: [] };
}

/**
 * Runs one command line and answers its exit code: the only place where yargs meets the list of commands, and where
 * what was thrown becomes one line on stderr. `list` is the shipped one unless a test brings its own.
 */
export async function run(
  argv: readonly string[],
  host: Host,
  list: readonly CommandEntry[] = commands,
): Promise<number> {
  let speaking = guessOutput(argv);
  const ending = new AbortController();
  let stopListening = (): void => {};
  try {
    const parsed = await parseCommandLine(argv, list, host.stdout.columns ?? 100);
    if (parsed.kind === 'help') {
      await host.stdout.write(`${parsed.text}\n`);
      await host.stdout.flush();
      return exitOk;
    }
    if (parsed.kind === 'version') {
      await host.stdout.write(`${await host.version()}\n`);
      await host.stdout.flush();
      return exitOk;
    }
    if (parsed.kind === 'nothing' && !(canPrompt(host) && host.stdout.isTerminal)) {
      await host.stderr.write(`${parsed.text}\n`);
      return exitCodes.invalid;
    }
    const { command, raw, operands } =
      parsed.kind === 'nothing' ? await interactiveLine(parsed.raw) : parsed.line;
    const withFiles = command.settings !== 'without-files';
    // Help and --version go by no settings.
    const { settleConfiguration } = await import('./configuration.ts');
    const configuration = await settleConfiguration(raw, host, withFiles);
    const { settings } = configuration;
    speaking = settings;
    const [problem] = configuration.problems;
    if (problem !== undefined && command.settings !== 'with-problems') throw problem;
    const options = readOptions(command.options, raw, host.env);
    const context: CommandContext = {
      host: settings.screenReader || isDumb(host.env) ? { ...host, prompts: host.plainPrompts } : host,
      settings,
      configuration,
      output: createOutput(host, settings),
      commands: list,
      signal: ending.signal,
    };
    const signalled = new Promise<never>((_resolve, reject) => {
      stopListening = host.onSignal((signal) => {
        if (signal === 'SIGHUP' && command.outlivesTerminal === true) return;
        const reason = new Signalled(signal);
        ending.abort(reason);
        if (command.handlesSignals !== true) reject(reason);
      });
    });
    const finished = command.run({ options, operands }, context).then(async (code) => {
      await host.stdout.flush();
      return code;
    });
    return await Promise.race([finished, signalled]);
  } catch (error) {
    if (!isSilent(error)) {
      await reportError(host, speaking, error instanceof UnknownChoice ? await error.withHint() : error);
    }
    return exitCodeOf(error);
  } finally {
    stopListening();
    ending.abort();
  }
}
