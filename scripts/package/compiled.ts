import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { compiledListName } from './modules.ts';

const run = promisify(execFile);
const warmUp = join(import.meta.dirname, 'warm-up.cjs');
const ending = '.compiled';

/** What people do most, in the order in which it works. */
const conversation: readonly (readonly string[])[] = [
  ['register', 'alice', '--quiet'],
  ['logout'],
  ['login', 'alice'],
  ['send', 'hello'],
  ['tail', '--once', '--own'],
  ['tail', '--once', '--own', '--output', 'json'],
  ['send', '@alice', 'hello'],
  ['users'],
  ['rooms'],
  ['whoami'],
  ['--help'],
  ['--version'],
];

/**
 * Keeps in the archive what V8 compiles of the program in a conversation with a server of its own, with the Node that runs this: the
 * executable for this platform then starts with it. Client commands come first, since they start most often: a module that both sides
 * load keeps what clients run of it. Answers the names of the files that it added.
 */
export async function compile(archive: string): Promise<string[]> {
  const home = await mkdtemp(join(tmpdir(), 'chat-package-'));
  const environment = {
    PATH: process.env.PATH,
    HOME: home,
    CHAT_SYSTEM_CONFIG: devNull,
    CHAT_SERVE_CONFIG: devNull,
    CHAT_PASSWORD: 'as good as any other',
  };
  const words = (which: 'all' | 'missing', args: readonly string[]) => [warmUp, archive, which, ...args];
  const serve = ['serve', '--listen', '127.0.0.1:0', '--quiet', '--data', join(home, 'data')];
  const server = started(words('missing', [...serve, '--bcrypt-cost', '10']), environment);
  try {
    const CHAT_SERVER = await server.address;
    for (const args of conversation)
      await run(process.execPath, words('all', args), { env: { ...environment, CHAT_SERVER } });
    await server.stop();
  } finally {
    await server.end();
    await rm(home, { recursive: true, force: true });
  }
  const names = (await readdir(archive)).filter((name) => name.endsWith(ending)).sort();
  if (names.length === 0) throw new Error('nothing was compiled');
  await writeFile(
    join(archive, compiledListName),
    names.map((name) => name.slice(0, -ending.length)).join('\n'),
  );
  return names;
}

/** A server that is to say where it listens, and to end in order. */
function started(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, args, { env, stdio: 'pipe' });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const failed = closed.then(([code]) => {
    if (code !== 0) throw new Error(`the server ended with ${code}: ${said}`);
  });
  // Whoever waits for it is told; while nobody does, nobody need be.
  failed.catch(() => {});
  const { promise: line, resolve } = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).once('line', resolve);
  const address = Promise.race([line, failed.then(() => '')]).then((text) => text.split(' ', 1)[0] ?? '');
  return {
    address,
    async stop() {
      child.kill('SIGTERM');
      await failed;
    },
    /** Whatever state it is in; it would keep this process otherwise. */
    async end() {
      child.kill('SIGKILL');
      await failed.catch(() => {});
    },
  };
}
