import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compileCache } from '../../support/compile-cache.ts';
import { chat, startedIn } from './prepared.ts';

/** What a finished command left. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A server that runs from the build. */
export interface RunningServer {
  readonly child: ChildProcess;
  readonly port: number;
  readonly fingerprint: string;
  readonly data: string;
  /** Ends it and waits for its exit code; null when a signal ended it. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

/** Scratch directories, servers and commands of one test file; `close` ends and removes all of it. */
export interface Lab {
  readonly directory: string;
  /** Starts a server; throws with its stderr when it ends before it is ready. */
  serve(flags?: readonly string[], data?: string): Promise<RunningServer>;
  /** Runs a command for a person, whose files are their own, to its end. */
  run(person: string, args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Starts a command that goes on. */
  start(person: string, args: readonly string[], options?: RunOptions): ChildProcess;
  close(): Promise<void>;
}

/** How a command is run. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Opens a lab in a fresh scratch directory. */
export function openLab(): Lab {
  const directory = mkdtempSync(join(tmpdir(), 'chat-e2e-'));
  const children = new Set<ChildProcess>();

  function start(person: string, args: readonly string[], { env = {} }: RunOptions = {}): ChildProcess {
    const home = join(directory, person);
    const child = spawn(chat, args, {
      cwd: startedIn,
      env: {
        ...compileCache,
        PATH: process.env.PATH,
        HOME: home,
        XDG_STATE_HOME: join(home, 'state'),
        XDG_DATA_HOME: join(home, 'data'),
        CHAT_PASSWORD: `password of ${person}`,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    child.stdin?.on('error', () => {});
    return child;
  }

  async function run(person: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = start(person, args, options);
    const texts = { out: '', err: '' };
    child.stdout?.on('data', (chunk) => {
      texts.out += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      texts.err += chunk;
    });
    child.stdin?.end(options.input ?? '');
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...texts };
  }

  return {
    directory,
    run,
    start,
    async serve(flags = [], data = join(directory, 'data')) {
      const child = start('server', [
        'serve',
        '--listen',
        '127.0.0.1:0',
        '--bcrypt-cost',
        '10',
        '--data',
        data,
        ...flags,
      ]);
      let errors = '';
      child.stderr?.on('data', (chunk) => {
        errors += chunk;
      });
      const exited = once(child, 'close') as Promise<[number | null]>;
      const ready = await nextLine(child);
      const [, port, fingerprint] = /^127\.0\.0\.1:(\d+) (SHA256:\S+) /.exec(ready ?? '') ?? [];
      if (!port || !fingerprint) throw new Error(`exit ${(await exited)[0]}: ${errors}`);
      return {
        child,
        port: Number(port),
        fingerprint,
        data,
        async stop(signal = 'SIGTERM') {
          child.kill(signal);
          return (await exited)[0];
        },
      };
    },
    async close() {
      await Promise.all(
        [...children].map(async (child) => {
          child.kill('SIGKILL');
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        }),
      );
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The next line that a process prints, or undefined at its end; only for one reader of a process. */
export async function nextLine(child: ChildProcess): Promise<string | undefined> {
  if (!child.stdout) throw new Error('started without a pipe');
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    return line;
  }
  return undefined;
}

/** Sends bytes over clear TCP and answers all that comes until the server closes, or until `lines` lines have come. */
export async function converse(
  port: number,
  bytes: string | Uint8Array,
  lines = Number.POSITIVE_INFINITY,
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(bytes);
  let text = '';
  try {
    for await (const chunk of socket) {
      text += chunk;
      if (text.split('\n').length > lines) break;
    }
  } finally {
    socket.destroy();
  }
  return text;
}
