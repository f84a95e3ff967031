/**
 * A real server in a scratch directory and two people who talk through `bin/chat`; the server is killed in the middle.
 * Prints what it does and sees, and ends non-zero at the first thing that is not as it should be.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const chat = resolve('bin/chat');
const scratch = mkdtempSync(join(tmpdir(), 'chat-demo-'));
const running = new Set<ChildProcess>();

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process that prints lines while it runs. */
interface Printing {
  readonly child: ChildProcess;
  /** The next line, or undefined at the end. */
  line(): Promise<string | undefined>;
}

function expect(what: string, seen: unknown, wanted: unknown): void {
  const [one, other] = [JSON.stringify(seen), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: saw ${one}, wanted ${other}`);
}

function environment(person: string): NodeJS.ProcessEnv {
  const home = join(scratch, person);
  return {
    PATH: process.env.PATH,
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    CHAT_PASSWORD: `correct horse of ${person}`,
    CHAT_SERVER: `127.0.0.1:${port}`,
  };
}

function start(person: string, args: readonly string[]): ChildProcess {
  const child = spawn(chat, args, { env: environment(person), stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function run(person: string, args: readonly string[], input = ''): Promise<Outcome> {
  console.log(`${person}$ ${input === '' ? '' : `printf ${JSON.stringify(input)} | `}chat ${args.join(' ')}`);
  const child = start(person, args);
  const texts = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    texts.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    texts.err += chunk;
  });
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  for (const line of `${texts.out}${texts.err}`.split('\n').filter((text) => text !== ''))
    console.log(`  ${line}`);
  if (code !== 0) console.log(`  (exit ${code})`);
  return { code, ...texts };
}

async function succeed(person: string, args: readonly string[], input = ''): Promise<string> {
  const { code, out } = await run(person, args, input);
  expect(`exit code of chat ${args[0]}`, code, 0);
  return out;
}

function print(child: ChildProcess): Printing {
  if (!child.stdout) throw new Error('started without a pipe for its output');
  const lines: AsyncIterator<string> = (createInterface({ input: child.stdout }) as Interface)[
    Symbol.asyncIterator
  ]();
  return {
    child,
    async line() {
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
  };
}

async function serve(): Promise<ChildProcess> {
  const child = start('server', [
    'serve',
    '--listen',
    `127.0.0.1:${port}`,
    '--data',
    join(scratch, 'server'),
  ]);
  child.stderr?.resume();
  const ready = await print(child).line();
  if (ready === undefined) throw new Error('the server ended before it was ready');
  console.log(`server: ${ready.replaceAll(scratch, '…')}`);
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port to be had');
  return address.port;
}

const port = await freePort();
let failed = false;
try {
  let server = await serve();
  await succeed('alice', ['register', 'alice']);
  await succeed('bob', ['register', 'bob']);
  await succeed('alice', ['send', '#lobby', 'good morning']);
  await succeed('alice', ['send'], 'the build is green\n');
  await succeed('bob', ['send', '@alice', 'a word in private']);

  const history = await succeed('bob', ['tail', '#lobby', '--once', '--output', 'json']);
  const texts = (lines: string): string[] =>
    lines
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text);
  expect('what bob reads', texts(history), ['good morning', 'the build is green']);
  const direct = await succeed('alice', ['tail', '@bob', '--once', '--output', 'json']);
  expect('what alice reads', texts(direct), ['a word in private']);

  console.log('bob$ chat tail #lobby -n 2 --output json &');
  const tail = print(start('bob', ['tail', '#lobby', '-n', '2', '--output', 'json']));
  const seen: { seq: number; text: string }[] = [];
  const read = async (count: number): Promise<void> => {
    while (seen.length < count) {
      const line = await tail.line();
      if (line === undefined) throw new Error('the tail ended');
      console.log(`  tail: ${line}`);
      seen.push(JSON.parse(line) as { seq: number; text: string });
    }
  };
  await read(2);
  expect('who is online', (await succeed('alice', ['users'])).trim().split('\n'), ['alice', 'bob']);

  console.log('server: killed with SIGKILL');
  server.kill('SIGKILL');
  await once(server, 'close');
  expect(
    'exit code of a send that no server takes',
    (await run('alice', ['send', '#lobby', 'lost?', '--timeout', '1'])).code,
    3,
  );
  console.log('alice$ chat send #lobby "sent while the server was down" &');
  const waiting = start('alice', ['send', '#lobby', 'sent while the server was down', '--timeout', '60']);
  waiting.stdin?.end();
  server = await serve();
  const [code] = (await once(waiting, 'close')) as [number | null];
  expect('exit code of the send that waited for the server', code, 0);
  await succeed('alice', ['send', '#lobby', '--lines'], 'one\ntwo\nthree\n');
  await read(6);
  expect(
    'what the tail printed over the restart, each once and in order',
    seen.map(({ seq, text }) => [seq, text]),
    [
      [1, 'good morning'],
      [2, 'the build is green'],
      [3, 'sent while the server was down'],
      [4, 'one'],
      [5, 'two'],
      [6, 'three'],
    ],
  );
  const all = await succeed('alice', ['tail', '#lobby', '--since', 'all', '--once', '--output', 'json']);
  expect(
    'the whole history',
    texts(all),
    seen.map(({ text }) => text),
  );

  console.log('server: asked to end with SIGTERM');
  tail.child.kill('SIGINT');
  server.kill('SIGTERM');
  const [ended] = (await once(server, 'close')) as [number | null];
  expect('exit code of the server', ended, 0);
  console.log('All as it should be.');
} catch (error) {
  failed = true;
  console.error(`DIFFERENT: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
