import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { clientEnvironment } from './kept.ts';

/** A built chat, whichever version: what it can do is asked of itself. */
export interface Program {
  /** Its launcher. */
  readonly path: string;
  /** Whether its help has the words of a command, and the text. */
  knows(words: readonly string[], text?: string): boolean;
  version(): string;
}

export function programAt(path: string): Program {
  const ask = (words: readonly string[]) => spawnSync(path, words, { encoding: 'utf8' });
  return {
    path,
    knows(words, text = '') {
      const { status, stdout } = ask(['help', ...words]);
      return status === 0 && stdout.startsWith(`chat ${words.join(' ')}`) && stdout.includes(text);
    },
    version: () => ask(['--version']).stdout.trim(),
  };
}

/** A server of a program, that is ready. */
export interface Server {
  readonly child: ChildProcess;
  readonly address: string;
  readonly fingerprint: string;
  /** What it has said on stderr so far. */
  readonly said: () => string;
}

/** Starts a server on a free port. */
export async function startServer({ path }: Program, data: string): Promise<Server> {
  const flags = ['--listen', '127.0.0.1:0', '--data', data, '--bcrypt-cost', '10'];
  const env = { PATH: process.env.PATH, HOME: data, CHAT_SERVE_CONFIG: devNull, CHAT_SYSTEM_CONFIG: devNull };
  const child = spawn(path, ['serve', ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    const [address = '', fingerprint = ''] = line.split(' ');
    return { child, address, fingerprint, said: () => said };
  }
  throw new Error(`the server did not start: ${said}`);
}

/** Ends a server in order, or as a power cut of its process would. */
export async function endServer({ child, said }: Server, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const ended = once(child, 'close');
  child.kill(signal);
  const [code] = await ended;
  if (signal === 'SIGTERM' && code !== 0) throw new Error(`the server ended with ${code}: ${said()}`);
}

/** Somebody on one device. */
export interface Person {
  /** Runs a command; throws unless it ends with `code`. Answers stdout. */
  does(words: readonly string[], options?: { readonly input?: string; readonly code?: number }): string;
  /** The same with `-o json`: an object a line. */
  tells<T extends object>(words: readonly string[]): T[];
}

export function personOf(
  { path }: Program,
  { address }: Pick<Server, 'address'>,
  homes: string,
  name: string,
  device = name,
): Person {
  const env = clientEnvironment(name, join(homes, device), address);
  const does: Person['does'] = (words, { input = '', code = 0 } = {}) => {
    const { status, stdout, stderr } = spawnSync(path, words, { env, input, encoding: 'utf8' });
    if (status !== code) throw new Error(`chat ${words.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  };
  return {
    does,
    tells: (words) =>
      does([...words, '-o', 'json'])
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
  };
}

/** Calls operations one after another over one connection in clear text, as any program could; answers the results. */
export async function callOperations(
  { address }: Pick<Server, 'address'>,
  work: (call: <T extends object>(method: string, params: object) => Promise<T>) => Promise<void>,
): Promise<void> {
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  let id = 0;
  try {
    await work(async (method, params) => {
      id += 1;
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error(`${method}: the connection ended`);
        const answer = JSON.parse(value);
        if (answer.id !== id) continue;
        if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
        return answer.result;
      }
    });
  } finally {
    socket.destroy();
  }
}

/** The format of a database that no server has open, as the program itself tells it; nothing of it changes. */
export function formatOf({ path }: Program, data: string): number {
  const env = { PATH: process.env.PATH, HOME: data, CHAT_SERVE_CONFIG: devNull, CHAT_SYSTEM_CONFIG: devNull };
  const words = ['serve', '--check', '--listen', '127.0.0.1:0', '--data', data];
  const { stdout } = spawnSync(path, words, { env, encoding: 'utf8' });
  const [, format] = /is sound, format (\d+)/.exec(stdout) ?? [];
  if (format === undefined) throw new Error(`no sound database in ${data}: ${stdout}`);
  return Number(format);
}
