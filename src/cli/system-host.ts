import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { ChatError } from '../core/errors.ts';
import { isAmidLine } from './amid-line.ts';
import { lazyClientLibrary } from './client-library.ts';
import { inFull } from './file-output.ts';
import { keepHangUpIgnored } from './hang-up.ts';
import { homeDirectory } from './home-directory.ts';
import { BrokenPipe, type EndSignal, type Host, PromptLeft, type Prompts, type TextSink } from './host.ts';
import { plainPrompts } from './plain-prompts.ts';
import { readerProbe } from './reader-probe.ts';
import { systemStdin } from './system-stdin.ts';
import { systemTerminal } from './system-terminal.ts';
import type { Terminal } from './terminal.ts';

/** What a terminal's stream adds to any other stream. */
type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly fd?: number };

/** What writing to a reader that has gone is answered: a pipe, a stream that was ended here. */
const goneCodes: readonly string[] = ['EPIPE', 'ERR_STREAM_DESTROYED'];

/** What is behind a code, for people. */
const adviceOf: Readonly<Record<string, string>> = {
  ENOSPC: ': its disk is full',
  EDQUOT: ': your quota on its disk is used up',
};

/** Wraps a process stream; its errors come out of `write` as `invalid` (exit 2), and a reader that has gone as {@link BrokenPipe}. */
export function streamSink(stream: Stream): TextSink {
  let failed: Error | undefined;
  let hasWritten = false;
  let probe: (() => boolean) | undefined;
  const gone = new AbortController();
  const fail = (error: Error): void => {
    const code = 'code' in error ? String(error.code) : 'unknown error';
    // So answers a terminal that has gone; for a file it is a broken disk.
    const isGone = goneCodes.includes(code) || (code === 'EIO' && stream.isTTY === true);
    failed ??= isGone
      ? new BrokenPipe('nobody reads the output any more', { cause: error })
      : new ChatError('invalid', `cannot write the output (${code})${adviceOf[code] ?? ''}`, {
          cause: error,
        });
    gone.abort(failed);
  };
  stream.on('error', fail);
  const drained = () =>
    new Promise<void>((resolve, reject) => {
      const settle = () => {
        stream.off('drain', settle);
        stream.off('error', settle);
        stream.off('close', settle);
        if (failed === undefined) resolve();
        else reject(failed);
      };
      stream.once('drain', settle);
      stream.once('error', settle);
      stream.once('close', settle);
    });
  return {
    gone: gone.signal,
    get isTerminal() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns;
    },
    isReaderGone() {
      probe ??= (stream.fd === undefined ? undefined : readerProbe(stream.fd)) ?? (() => false);
      if (failed === undefined && probe())
        fail(Object.assign(new Error('its reader has gone'), { code: 'EPIPE' }));
      return gone.signal.aborted;
    },
    isAmidLine: () => stream.fd !== undefined && isAmidLine(stream.fd),
    write(text) {
      hasWritten = true;
      if (failed !== undefined) return Promise.reject(failed);
      return stream.write(text) ? undefined : drained();
    },
    async flush() {
      if (failed !== undefined) throw failed;
      // Even writing nothing fails on a full disk.
      if (!hasWritten) return;
      await new Promise<void>((resolve) =>
        stream.write('', (error) => {
          if (error) fail(error);
          resolve();
        }),
      );
      if (failed !== undefined) throw failed;
    },
  };
}

/** Prompts of @inquirer/prompts, loaded at the first question, asked on stderr. */
const inquirerPrompts: Prompts = {
  text: async (message, { optional } = { optional: false }) =>
    await asked(async ({ input }, on) => await input({ message, required: !optional }, on)),
  secret: async (message) =>
    await asked(async ({ password }, on) => await password({ message, mask: '*' }, on)),
  confirm: async (message) =>
    await asked(async ({ confirm }, on) => await confirm({ message, default: false }, on)),
  choose: async (message, choices) =>
    await asked(async ({ select }, on) => await select({ message, choices: [...choices] }, on)),
};

/** Asks; a prompt that is left (Ctrl-C, Ctrl-D, the end of the terminal) is {@link PromptLeft}. */
async function asked<T>(
  ask: (
    prompts: typeof import('@inquirer/prompts'),
    on: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; signal: AbortSignal },
  ) => Promise<T>,
): Promise<T> {
  const prompts = await import('@inquirer/prompts');
  const left = new AbortController();
  // A prompt whose input ended (Ctrl-D on an empty line) waits for ever; that it pauses the stream is all that is seen of it.
  const leave = () => left.abort();
  process.stdin.once('pause', leave);
  try {
    return await ask(prompts, { input: process.stdin, output: process.stderr, signal: left.signal });
  } catch (error) {
    if (error instanceof Error && (error.name === 'ExitPromptError' || left.signal.aborted))
      throw new PromptLeft(error.message, { cause: error });
    throw error;
  } finally {
    process.stdin.off('pause', leave);
  }
}

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const satisfies readonly EndSignal[];

/** The process as it is. */
export function systemHost(): Host {
  const ignoresHangUp = keepHangUpIgnored();
  let terminal: Terminal | undefined;
  return {
    env: process.env,
    stdin: systemStdin,
    stdout: streamSink(inFull(process.stdout as Stream)),
    stderr: streamSink(inFull(process.stderr as Stream)),
    prompts: inquirerPrompts,
    plainPrompts,
    get terminal() {
      if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) return undefined;
      terminal ??= systemTerminal();
      return terminal;
    },
    platform: process.platform,
    homeDirectory: homeDirectory(),
    hostName: hostname(),
    processId: process.pid,
    userId: process.getuid?.(),
    now: () => Date.now(),
    async version() {
      const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
      return manifest.version;
    },
    licenses: async () => await (await import('./program-text.ts')).programText('licenses.txt'),
    onSignal(listener) {
      const signals = endSignals.filter((signal) => signal !== 'SIGHUP' || !ignoresHangUp);
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    client: lazyClientLibrary,
  };
}
