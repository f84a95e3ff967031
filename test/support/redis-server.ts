import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a Redis of a test is started. */
export interface RedisServerOptions {
  readonly password?: string;
  /** PEM files, which make it speak TLS alone. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** More of its own settings, `--name value …`. */
  readonly settings?: readonly string[];
}

/** A real redis-server of a test's own, which keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  /** With the password in it, if there is one. */
  readonly url: string;
  /** Starts it again on the same port, empty; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
  /** Stops its process, with every socket left open; `resume` lets it go on. */
  pause(): void;
  resume(): void;
  /** What `redis-cli` prints for a command, its last newline taken off; fails the test when it cannot. */
  cli(...words: readonly string[]): string;
  /** Ends it and removes what it left. */
  close(): Promise<void>;
}

/** True when this machine has a redis-server. */
export function hasRedisServer(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

/** Starts one on a port that the system chose; resolves when it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { password, tls, settings = [] } = options;
  const directory = mkdtempSync(join(tmpdir(), 'chat-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  let log = '';

  const words = [
    ...['--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ...(tls
      ? [
          ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
          ...['--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key],
        ]
      : ['--port', String(port)]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...settings,
  ];

  function run(...command: readonly string[]) {
    const how = [
      ...['-p', String(port), '--no-auth-warning'],
      ...(tls ? ['--tls', '--cacert', tls.ca] : []),
      ...(password === undefined ? [] : ['-a', password]),
    ];
    return spawnSync('redis-cli', [...how, ...command], { encoding: 'utf8', timeout: 10_000 });
  }

  async function start(): Promise<void> {
    log = '';
    const own = spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    child = own;
    for (const stream of [own.stdout, own.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        log += bytes.toString();
      });
    }
    const ended = new Promise<never>((_, reject) => {
      own.once('error', reject);
      own.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${log}`)));
    });
    ended.catch(() => {});
    await Promise.race([ended, accepts(port)]);
  }

  async function kill(): Promise<void> {
    const own = child;
    child = undefined;
    if (!own || own.exitCode !== null || own.signalCode !== null) return;
    const gone = new Promise((resolve) => own.once('exit', resolve));
    own.kill('SIGKILL');
    await gone;
  }

  // A run that is broken off must not leave it behind.
  const onExit = (): void => {
    child?.kill('SIGKILL');
  };
  process.on('exit', onExit);

  await start();
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return {
    port,
    url: `${tls ? 'rediss' : 'redis'}://${user}127.0.0.1:${port}`,
    start,
    kill,
    pause() {
      child?.kill('SIGSTOP');
    },
    resume() {
      child?.kill('SIGCONT');
    },
    cli(...command) {
      const { status, stdout, stderr } = run(...command);
      if (status !== 0) throw new Error(`redis-cli ${command[0]}: ${stdout}${stderr}`);
      return stdout.replace(/\n$/, '');
    },
    async close() {
      await kill();
      process.off('exit', onExit);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A port of this machine that nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when somebody accepts connections on a port. */
async function accepts(port: number): Promise<void> {
  while (!(await accepting(port))) await turn();
}

function accepting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

/** The real one, also where a test has a clock of its own. */
const { setTimeout: later } = globalThis;

function turn(): Promise<void> {
  return new Promise((resolve) => {
    later(resolve, 5);
  });
}
