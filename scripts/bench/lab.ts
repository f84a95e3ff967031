import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect } from '../../src/client/connection.ts';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';
import { ended, needed, scratchDirectory } from './left-overs.ts';

/** A server in a scratch directory, with every limit off that would measure itself. */
export interface Lab extends StartedServer {
  readonly directory: string;
  /** A session of the account `bench`, which many connections share. */
  readonly token: string;
}

/** bcrypt's cost in the lab: the least there is, so that as many logins as possible are to be served besides their hashes. */
export const benchCost = 10;

const countedFlags = ['--messages-per-second', '--logins-per-minute'];

const limitsOff = [
  'messages-per-second',
  'logins-per-minute',
  'free-failed-logins',
  'registrations-per-hour',
  'max-connections',
  'max-connections-per-address',
  'max-sessions',
].flatMap((flag) => [`--${flag}`, flag === 'max-sessions' ? '1000000' : '0']);

/** The same limits so wide that nobody reaches them, but for those that are off: what counting takes is part of what a send and a login cost. */
export const wideLimits = [
  ...limitsOff.filter((_, index) => !countedFlags.includes(limitsOff[index - (index % 2)] ?? '')),
  ...countedFlags.flatMap((flag) => [flag, '1000000']),
  // Who makes the rooms is one account.
  '--joins-per-minute',
  '0',
];

/** A server that was started on a data directory. */
export interface StartedServer {
  readonly port: number;
  readonly pid: number;
  /** From the start of its process until it said that it accepts, in milliseconds. */
  readonly readyMs: number;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

/** How a chat is started: a command and its first words. */
export type Program = readonly [command: string, ...words: string[]];

/** The built program, with flags for Node itself. */
export const built = (nodeFlags: readonly string[] = []): Program => [
  process.execPath,
  ...nodeFlags,
  'dist/chat.mjs',
];

/** Starts a server on a data directory, with `flags` after the lab's own; answers when it is ready. */
export async function startServer(
  data: string,
  flags: readonly string[] = [],
  [command, ...words]: Program = built(),
  limits: readonly string[] = limitsOff,
): Promise<StartedServer> {
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--bcrypt-cost', String(benchCost)];
  let errors = '';
  const start = performance.now();
  const child = needed(
    spawn(command, [...words, ...args, ...limits, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
    'the server',
    () => errors.trimEnd().split('\n').slice(-2).join('\n'),
  );
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2_000);
  });
  const ready = await firstLine(child);
  const readyMs = performance.now() - start;
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]);
  if (!child.pid || !port) throw new Error(`the server said: ${ready}`);
  return { port, pid: child.pid, readyMs, stop: () => ended(child, 'SIGTERM') };
}

/** Starts the built server on an empty directory and logs the account in; `nodeFlags` are for Node itself. */
export async function openLab(nodeFlags: readonly string[] = []): Promise<Lab> {
  const directory = scratchDirectory();
  const server = await startServer(join(directory, 'data'), [], built(nodeFlags));
  const connection = await open(server.port);
  await register(connection, { username: 'bench', password: 'bench password' });
  const { session } = await login(connection, { username: 'bench', password: 'bench password' });
  await connection.close();
  return { ...server, directory, token: session.session_token };
}

/** Gives a workload a server of its own, which ends with it. */
export async function withLab<T>(use: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await openLab();
  const answer = await use(lab);
  // After an error all that is left is ended anyway.
  await lab.stop();
  return answer;
}

/** A connection of the client library over clear loopback. */
export function open(port: number): Promise<Connection> {
  return connect({
    server: { scheme: 'plain', host: '127.0.0.1', port },
    timeoutMs: 10_000,
    checkIdentity: async () => {},
  });
}

/** The first line that a process prints; throws when it ends before. */
export async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('started without a pipe');
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    return line;
  }
  // How it ended says more, and comes a moment later.
  await sleep(1_000);
  throw new Error(`${child.spawnargs.slice(1, 3).join(' ')} ended before it was ready`);
}

/** A bare socket that speaks lines: the generator must not be slower than the server. */
export interface RawLine {
  readonly socket: Socket;
  /** Sends one request and waits until a received line contains `marker`. */
  ask(request: object, marker: string): Promise<void>;
}

/** Opens a bare connection, logged in by token when one is given. */
export async function rawLine(port: number, token?: string): Promise<RawLine> {
  const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const raw: RawLine = {
    socket,
    ask(request, marker) {
      socket.write(`${JSON.stringify(request)}\n`);
      return new Promise((resolve, reject) => {
        let text = '';
        const onData = (chunk: Buffer): void => {
          text += chunk.toString('latin1');
          if (text.includes('"error"')) reject(new Error(text));
          if (!text.includes(marker)) return;
          socket.off('data', onData);
          resolve();
        };
        socket.on('data', onData);
      });
    },
  };
  if (token !== undefined) {
    await raw.ask(
      { jsonrpc: '2.0', id: 'login', method: 'login.resume', params: { session_token: token } },
      '"id":"login"',
    );
  }
  return raw;
}
