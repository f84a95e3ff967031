import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Connection, connect } from '../../src/client/connection.ts';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';

/** A server in a scratch directory, with every limit off that would measure itself. */
export interface Lab {
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  /** A session of the account `bench`, which many connections share. */
  readonly token: string;
  stop(): Promise<void>;
}

/** One figure beside its floor of the same run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly floor: { readonly name: string; readonly value: number } | undefined;
  /** Of several rounds: `value` and the floor's are the middle ones, the ratio is the middle one of the rounds' ratios. */
  readonly rounds?: {
    readonly values: readonly number[];
    readonly ratio: { readonly median: number; readonly least: number; readonly most: number };
  };
  readonly note?: string;
}

/** A workload: runs once and answers its figures. */
export type Workload = (lab: Lab) => Promise<Figure[]>;

/** bcrypt's cost in the lab: the least there is, so that as many logins as possible are to be served besides their hashes. */
export const benchCost = 10;

const limitsOff = [
  'messages-per-second',
  'logins-per-minute',
  'free-failed-logins',
  'registrations-per-hour',
  'max-connections',
  'max-connections-per-address',
  'max-sessions',
].flatMap((flag) => [`--${flag}`, flag === 'max-sessions' ? '1000000' : '0']);

/** Starts the built server and logs the account in. */
export async function openLab(): Promise<Lab> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-bench-'));
  const child = spawn(
    process.execPath,
    [
      'dist/chat.mjs',
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--data',
      join(directory, 'data'),
      '--bcrypt-cost',
      String(benchCost),
      ...limitsOff,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ready = await firstLine(child);
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]);
  if (!child.pid || !port) throw new Error(`the server said: ${ready}`);
  const connection = await open(port);
  await register(connection, { username: 'bench', password: 'bench password' });
  const { session } = await login(connection, { username: 'bench', password: 'bench password' });
  await connection.close();
  return {
    port,
    pid: child.pid,
    directory,
    token: session.session_token,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'close');
      rmSync(directory, { recursive: true, force: true });
    },
  };
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
  throw new Error('ended before it was ready');
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

/** The processor time of a process and all of its threads so far, in microseconds; Linux only. */
export function cpuMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** The middle of some figures. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
