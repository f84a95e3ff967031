import { once } from 'node:events';
import { devNull } from 'node:os';
import { createInterface } from 'node:readline';
import type { CommandLine } from './campaign.ts';
import { type OwnedProcess, spawnOwned } from './leavings.ts';

/** How a server is started. */
export interface ServerStart {
  readonly command: CommandLine;
  readonly data: string;
  /** 0, or nothing, for any free port. */
  readonly port?: number;
  /** Left out: this machine's own address. */
  readonly host?: string;
  /** Besides those that every campaign gives. */
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** How a server's process ended. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last of what it said on stderr. */
  readonly errors: string;
}

/** A server that is ready. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  readonly ended: Promise<ServerEnd>;
  readonly hasEnded: boolean;
  /** What it has said on stderr so far, the last of it. */
  readonly errors: string;
  /** All lines of its log so far of level `error`. */
  readonly failures: readonly string[];
  /** Sends a signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<ServerEnd>;
}

/** A password costs little in a campaign, and no limit of its own stands in its way. */
const flags = { '--bcrypt-cost': '10', '--messages-per-second': '0', '--logins-per-minute': '0' };
const keptErrors = 20_000;

/** Starts a server and waits until it is ready; answers how it ended when it ended before. */
export async function startServer(start: ServerStart): Promise<ServerProcess | ServerEnd> {
  const words = [
    // One that a campaign gives itself goes before, and none may come twice.
    ...Object.entries(flags).flatMap((pair) => (start.flags?.includes(pair[0]) ? [] : pair)),
    ...(start.flags ?? []),
    '--listen',
    `${start.host ?? '127.0.0.1'}:${start.port ?? 0}`,
    '--data',
  ];
  // Whatever this machine's own settings are, no campaign goes by them.
  const env = { ...process.env, CHAT_SERVE_CONFIG: devNull, CHAT_SYSTEM_CONFIG: devNull, ...start.env };
  const child = spawnOwned([...start.command, ...words, start.data], env);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors = `${errors}${chunk}`.slice(-keptErrors);
  });
  const failures: string[] = [];
  // A line of the log begins with its time and its level.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (/^\S+ error /.test(line)) failures.push(line);
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, errors }));
  const port = await readyPort(child);
  if (port === undefined) return await ended;
  return {
    pid: child.pid ?? 0,
    port,
    ended,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    get errors() {
      return errors;
    },
    failures,
    kill(signal = 'SIGKILL') {
      child.kill(signal);
      return ended;
    },
  };
}

/** Like {@link startServer}, where nothing may keep it from starting. */
export async function mustStart(start: ServerStart): Promise<ServerProcess> {
  const server = await startServer(start);
  if (!isReady(server)) throw new Error(`the server did not start (${server.code}): ${server.errors}`);
  return server;
}

/** Whether a start came to a server. */
export function isReady(started: ServerProcess | ServerEnd): started is ServerProcess {
  return 'port' in started;
}

async function readyPort({ stdout }: OwnedProcess): Promise<number | undefined> {
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume();
    return Number(/^[\d.]+:(\d+) /.exec(line)?.[1]);
  }
  return undefined;
}
