import type { ClientLibrary } from './client-library.ts';
import type { Terminal } from './terminal.ts';

/** A signal that asks the process to end; SIGHUP says that its terminal has gone. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** Where text goes: stdout is data, stderr is talk. */
export interface TextSink {
  readonly isTerminal: boolean;
  /** The terminal's width; undefined when there is none. */
  readonly columns: number | undefined;
  /**
   * Writes all of `text`. Answers undefined when more may follow at once, and otherwise a promise that
   * resolves when the reader has caught up and rejects with {@link BrokenPipe} when it has gone.
   */
  write(text: string): Promise<void> | undefined;
  /** Resolves when everything has left this process; rejects, as `write` does, when it never will. */
  flush(): Promise<void>;
  /** Aborts when the reader is known to have gone. */
  readonly gone: AbortSignal;
  /** Looks for that now, also when nothing is written; `gone` has aborted when it answers true. */
  isReaderGone(): boolean;
  /** True when it is a file that ends within a line, as far as that can be seen. */
  isAmidLine(): boolean;
}

/** Thrown by a sink whose reader has gone (`chat tail | head`): there is nobody left to tell. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
}

/** Where bytes come from. */
export interface ByteSource {
  readonly isTerminal: boolean;
  /** How many bytes there are, where that is known before they are read: in a file. */
  readonly size?: number | undefined;
  /** Everything until the end of input; may be read once. */
  bytes(): AsyncIterable<Uint8Array>;
}

/** Questions to a person at a terminal; asked on stderr, so that stdout stays data. */
export interface Prompts {
  /** Asks until something is typed, unless the answer is `optional`: then it may be empty. */
  text(question: string, options?: { readonly optional: boolean }): Promise<string>;
  /** What is typed is shown as asterisks. */
  secret(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
  choose<Value extends string>(
    question: string,
    choices: readonly { readonly name: string; readonly value: Value }[],
  ): Promise<Value>;
}

/** Thrown by a prompt that the person left with Ctrl-C. */
export class PromptLeft extends Error {
  override readonly name = 'PromptLeft';
}

/** Thrown when the terminal that a person sits at has gone away. */
export class TerminalGone extends Error {
  override readonly name = 'TerminalGone';
}

/** What of it says where files of this user are, and whose. */
export type FilesHost = Pick<
  Host,
  'env' | 'platform' | 'homeDirectory' | 'hostName' | 'processId' | 'userId'
>;

/** Everything from outside, handed in, so that a test is in charge of all of it. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: ByteSource;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly prompts: Prompts;
  /** The same questions without drawing over anything, for screen readers and simple terminals. */
  readonly plainPrompts: Prompts;
  /** Undefined where no screen can be drawn on. */
  readonly terminal: Terminal | undefined;
  readonly platform: NodeJS.Platform;
  readonly homeDirectory: string;
  /** This machine's name, the default label of a device. */
  readonly hostName: string;
  readonly processId: number;
  /** The user who runs this; undefined where the platform has no such number. */
  readonly userId: number | undefined;
  /** UTC milliseconds. */
  now(): number;
  version(): Promise<string>;
  /** The licenses of all that the program is made of; undefined where it runs from its sources. */
  licenses(): Promise<string | undefined>;
  /** Calls `listener` for every signal until the answered function is called. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
  /** Loaded part by part when called. */
  readonly client: ClientLibrary;
}

/** True when a person can be asked: there is a terminal to type at and one to read from. */
export function canPrompt(host: Host): boolean {
  return host.stdin.isTerminal && host.stderr.isTerminal;
}
