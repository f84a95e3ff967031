import { type ChildProcess, spawn } from 'node:child_process';
import type { WireMessage } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import type { DurableCursor } from './durable-cursor.ts';
import { jsonLine } from './escape.ts';
import type { HandOver } from './hand-over.ts';
import type { Host } from './host.ts';
import { messageRecord } from './message-text.ts';
import type { Output } from './output.ts';

/** What `--exec` runs, and how. */
export interface RunnerOptions {
  readonly command: string;
  /** What a failed command does to the rest. */
  readonly onError: 'stop' | 'continue';
  readonly host: Pick<Host, 'env' | 'platform' | 'stdout'>;
  readonly output: Pick<Output, 'note'>;
  readonly cursor: DurableCursor | undefined;
  /** The command that runs gets SIGTERM when this aborts, and SIGKILL {@link endGraceMs} later. */
  readonly signal: AbortSignal;
}

/** How long a command may take to end after SIGTERM, in milliseconds. */
export const endGraceMs = 5_000;
/** How often it is looked whether what a command has started is gone too. */
const lookEveryMs = 50;

const prefix = 'CHAT_MESSAGE_';

/**
 * What a command finds in its environment besides what this process has in its own. A text with a NUL, which no environment can
 * hold, is left out; the JSON on stdin has it.
 */
export function messageEnvironment(message: WireMessage, env: Host['env']): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    // Nothing of another message, when a command runs a tail of its own.
    if (value !== undefined && !name.startsWith(prefix)) fields[name] = value;
  }
  for (const [name, value] of Object.entries(messageRecord(message))) {
    const text = String(value);
    if (!text.includes('\0')) fields[`${prefix}${name.toUpperCase()}`] = text;
  }
  return fields;
}

/** Runs a command for each message, one at a time, in order; the cursor moves over those whose command ended with 0. */
export function commandRunner(options: RunnerOptions): HandOver {
  const { cursor, signal, onError, output, host } = options;
  return {
    async take(message) {
      const failure = await runFor(message, options);
      if (failure !== undefined) {
        // Asked to end, and ended, or nobody reads what it writes: it is run again by the next tail.
        if (signal.aborted || host.stdout.isReaderGone()) return false;
        const text = `${message.to} message ${message.seq} (${message.id}): the command ${failure}`;
        if (onError === 'stop') throw new ChatError('internal', text);
        await output.note(`${text}; going on`);
      }
      cursor?.move(message.to, message.seq);
      // At once, so that a process that is killed runs at most one command twice.
      await cursor?.save();
      return true;
    },
    pass: ({ to, seq }) => cursor?.move(to, seq),
    settle: async () => {},
  };
}

/** Runs the command for one message to its end; undefined when it ended with 0, or how it failed. */
function runFor(message: WireMessage, options: RunnerOptions): Promise<string | undefined> {
  const { command, host, signal } = options;
  const hasGroups = host.platform !== 'win32';
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(command, {
        shell: true,
        stdio: ['pipe', 'inherit', 'inherit'],
        env: messageEnvironment(message, host.env),
        windowsHide: true,
        // A group of its own, so that a signal reaches the shell and what it runs, each once.
        detached: hasGroups,
      });
    } catch (error) {
      resolve(notStarted(error));
      return;
    }
    let killer: ReturnType<typeof setTimeout> | undefined;
    const end = (): void => {
      kill(child, 'SIGTERM', hasGroups);
      killer = setTimeout(() => kill(child, 'SIGKILL', hasGroups), endGraceMs);
    };
    const finish = (failure: string | undefined): void => {
      clearTimeout(killer);
      signal.removeEventListener('abort', end);
      child.stdin?.destroy();
      resolve(failure);
    };
    child.once('error', (error) => finish(notStarted(error)));
    child.once('exit', (status, signalName) => {
      const failure =
        status === 0
          ? undefined
          : `${status === null ? `was ended by ${signalName}` : `ended with status ${status}`}`;
      if (killer === undefined || !hasGroups) finish(failure);
      else void whenGone(child).then(() => finish(failure));
    });
    // Who does not read all of it, or none, is no failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end(jsonLine(messageRecord(message)));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function notStarted(error: unknown): string {
  const why = error instanceof Error && 'code' in error ? error.code : error;
  return `cannot be started (${why})`;
}

/** Signals the shell and what it runs; false when nothing of it is there any more. */
function kill(child: ChildProcess, signal: NodeJS.Signals | 0, hasGroups: boolean): boolean {
  if (child.pid === undefined) return false;
  if (!hasGroups) return child.kill(signal);
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}

/** Resolves when what a shell had started has ended as well: the kill after the grace makes sure of that. */
async function whenGone(child: ChildProcess): Promise<void> {
  // A process that has ended, and whose new parent does not ask how, counts for ever.
  const giveUpAt = performance.now() + endGraceMs + lookEveryMs * 2;
  while (kill(child, 0, true) && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
