import { homedir, hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { isAmidLine } from './amid-line.ts';
import { lazyClientLibrary } from './client-library.ts';
import { BrokenPipe, type Host, PromptLeft, type Prompts, type TextSink } from './host.ts';
import { plainPrompts } from './plain-prompts.ts';
import { readerProbe } from './reader-probe.ts';
import { systemTerminal } from './system-terminal.ts';
import type { Terminal } from './terminal.ts';

/** What a terminal's stream adds to any other stream. */
type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly fd?: number };

/** What writing to a reader that has gone is answered: a pipe, a stream that was ended here, a terminal. */
const goneCodes: readonly unknown[] = ['EPIPE', 'ERR_STREAM_DESTROYED', 'EIO'];

/** Wraps a process stream; its errors come out of `write`, and a reader that has gone as {@link BrokenPipe}. */
export function streamSink(stream: Stream): TextSink {
  let failed: Error | undefined;
  let probe: (() => boolean) | undefined;
  const gone = new AbortController();
  const fail = (error: Error): void => {
    const isGone = 'code' in error && goneCodes.includes(error.code);
    failed ??= isGone ? new BrokenPipe('nobody reads the output any more', { cause: error }) : error;
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
      if (failed !== undefined) return Promise.reject(failed);
      return stream.write(text) ? undefined : drained();
    },
    async flush() {
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
  text: async (message) => await asked(async ({ input }, on) => await input({ message, required: true }, on)),
  secret: async (message) =>
    await asked(async ({ password }, on) => await password({ message, mask: '*' }, on)),
  confirm: async (message) =>
    await asked(async ({ confirm }, on) => await confirm({ message, default: false }, on)),
  choose: async (message, choices) =>
    await asked(async ({ select }, on) => await select({ message, choices: [...choices] }, on)),
};

async function asked<T>(
  ask: (
    prompts: typeof import('@inquirer/prompts'),
    on: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
  ) => Promise<T>,
): Promise<T> {
  const prompts = await import('@inquirer/prompts');
  try {
    return await ask(prompts, { input: process.stdin, output: process.stderr });
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError')
      throw new PromptLeft(error.message, { cause: error });
    throw error;
  }
}

async function* readStdin(): AsyncIterable<Uint8Array> {
  for await (const chunk of process.stdin) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}

/** The process as it is. */
export function systemHost(): Host {
  let terminal: Terminal | undefined;
  return {
    env: process.env,
    stdin: {
      get isTerminal() {
        return process.stdin.isTTY === true;
      },
      bytes: readStdin,
    },
    stdout: streamSink(process.stdout),
    stderr: streamSink(process.stderr),
    prompts: inquirerPrompts,
    plainPrompts,
    get terminal() {
      if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) return undefined;
      terminal ??= systemTerminal();
      return terminal;
    },
    platform: process.platform,
    homeDirectory: homedir(),
    hostName: hostname(),
    processId: process.pid,
    userId: process.getuid?.(),
    now: () => Date.now(),
    async version() {
      const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
      return manifest.version;
    },
    onSignal(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
    client: lazyClientLibrary,
  };
}
