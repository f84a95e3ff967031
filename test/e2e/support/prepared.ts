import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { executableVariable } from './executable.ts';

/** An executable stands alone in the directory where it is started; the built program is started by its launcher. */
function underTest() {
  const executable = process.env[executableVariable];
  if (executable !== undefined) return { chat: executable, startedIn: dirname(executable) };
  return { chat: fileURLToPath(new URL('../../../bin/chat', import.meta.url)), startedIn: process.cwd() };
}

/** What is tested, and where it is started unless a test says otherwise. */
export const { chat, startedIn } = underTest();

/** Who has an account in the prepared data directory, with keys of private messages, and is logged in over TLS. */
export const preparedPeople: readonly string[] = ['alice', 'bob'];

/** Where the prepared files of a run are, in the environment of its processes. */
const variable = 'CHAT_TEST_PREPARED';

const prepared = (): string => {
  const directory = process.env[variable];
  if (directory === undefined) throw new Error(`nothing is prepared: ${variable} is not set`);
  return directory;
};

/** What a process of somebody's goes by, whose files are all below `home`. */
export function environmentOf(name: string, home: string, server: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    CHAT_SYSTEM_CONFIG: devNull,
    CHAT_PASSWORD: `correct horse of ${name}`,
    CHAT_SERVER: server,
  };
}

/**
 * What vitest calls before the first end-to-end test: the built server runs once on a new data directory, and the built client registers
 * people there. Tests that are not about a new account begin with a copy of these files, for a hundredth of the time. Answers what
 * removes them.
 */
export async function setup(): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-prepared-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    const serve = [
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--data',
      join(directory, 'data'),
      '--bcrypt-cost',
      '10',
    ];
    const { CHAT_SERVER: _, ...operator } = environmentOf('operator', join(directory, 'operator'), '');
    const server = started(serve, { ...operator, CHAT_SERVE_CONFIG: devNull });
    const [address = ''] = (await firstLine(server)).split(' ');
    const registered = preparedPeople.map(async (name) => {
      const client = started(
        ['register', name, '--quiet'],
        environmentOf(name, join(directory, 'homes', name), address),
      );
      await ended(client);
    });
    await Promise.all(registered);
    server.kill('SIGTERM');
    await ended(server);
    writeFileSync(join(directory, 'address'), address);
  } catch (error) {
    remove();
    throw error;
  }
  process.env[variable] = directory;
  return () => {
    delete process.env[variable];
    remove();
  };
}

const started = (args: readonly string[], env: NodeJS.ProcessEnv) =>
  // Asked for again: this runs in the process that puts the executable in its place.
  spawn(underTest().chat, args, {
    cwd: underTest().startedIn,
    env: { ...env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
    stdio: ['ignore', 'pipe', 'ignore'],
  });

type Started = ReturnType<typeof started>;

async function firstLine({ stdout }: Started): Promise<string> {
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume();
    return line;
  }
  throw new Error('the server from which tests are prepared did not start');
}

async function ended(child: Started): Promise<void> {
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  if (code !== 0) throw new Error(`what prepares the tests ended with ${code}: ${child.spawnargs.join(' ')}`);
}

/** Makes `data` the data directory of a server that has {@link preparedPeople}. */
export function copyData(data: string): void {
  cpSync(join(prepared(), 'data'), data, { recursive: true });
}

/** Gives one of {@link preparedPeople} the files that they would have below `home` had they registered at `address`, a `HOST:PORT`. */
export function copyHome(name: string, home: string, address: string): void {
  copyFilesOf(
    readFileSync(join(prepared(), 'address'), 'utf8'),
    join(prepared(), 'homes', name),
    address,
    home,
  );
}

/** Copies a client's files, as they would be had the server at the address `before` been at `address`. */
export function copyFilesOf(before: string, from: string, address: string, to: string): void {
  const portOf = (whole: string) => whole.slice(whole.lastIndexOf(':') + 1);
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const path = join(from, entry.name);
    // Files are named after the server that they are about, and one has its address in it.
    const copied = join(to, entry.name.replace(`_${portOf(before)}.`, `_${portOf(address)}.`));
    if (entry.isDirectory()) copyFilesOf(before, path, address, copied);
    else {
      const { mode } = statSync(path);
      writeFileSync(copied, readFileSync(path, 'utf8').replaceAll(before, address), { mode });
    }
  }
}
