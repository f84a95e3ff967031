import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { compileCache } from '../../support/compile-cache.ts';
import type { HereOptions } from './here.ts';
import { chat, copyData, copyHome, environmentOf, preparedPeople, startedIn } from './prepared.ts';

export { chat };

/** How a process ended and what it said. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** How a process differs from a `chat` in this directory. */
export interface ProcessOptions {
  readonly program?: string;
  readonly cwd?: string;
  /** True: a signal reaches what it has started too. */
  readonly isGroup?: boolean;
}

/** A process of `chat`, or of another program, whose lines are waited for one by one. */
export class Running {
  readonly child: ChildProcess;
  out = '';
  err = '';
  /** When the process has ended and all its words were read. */
  readonly ended: Promise<Outcome>;
  readonly #isGroup: boolean;
  /** How much of `out` was answered as lines. */
  #linesEnd = 0;
  #hasEnded = false;
  #outWaiters: Array<() => void> = [];
  #errWaiters: Array<() => void> = [];

  constructor(
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    input?: string | Uint8Array,
    { program = chat, cwd = startedIn, isGroup = false }: ProcessOptions = {},
  ) {
    const child = spawn(program, args, {
      env: { ...compileCache, ...env },
      stdio: 'pipe',
      cwd,
      detached: isGroup,
    });
    this.#isGroup = isGroup;
    this.child = child;
    // Read to its end whether lines are asked for or not: a reader that stops would stop the process.
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      this.out += chunk;
      this.#wakeOut();
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      this.err += chunk;
      this.#wakeErr();
    });
    // A process that ends without reading its input is no failure of the test.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    this.ended = once(child, 'close').then(([code]) => {
      this.#hasEnded = true;
      this.#wakeOut();
      this.#wakeErr();
      return { code, out: this.out, err: this.err };
    });
  }

  /** The next line of stdout; undefined at its end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const start = this.#linesEnd;
      const end = this.out.indexOf('\n', start);
      if (end >= 0 || (this.#hasEnded && start < this.out.length)) {
        this.#linesEnd = end < 0 ? this.out.length : end + 1;
        return this.out.slice(start, end < 0 ? undefined : end);
      }
      if (this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => this.#outWaiters.push(resolve));
    }
  }

  /** The next line of stdout, as JSON. */
  async json<T = Record<string, unknown>>(): Promise<T> {
    const line = await this.line();
    if (line === undefined) throw new Error(`the process ended: ${this.err}`);
    return JSON.parse(line);
  }

  /** Waits until stderr has text that fits. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.err)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.ended;
        if (pattern.test(this.err)) return;
        throw new Error(`the process ended without saying ${pattern}: ${this.err}`);
      }
      await new Promise<void>((resolve) => this.#errWaiters.push(resolve));
    }
  }

  /** Sends a signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Outcome> {
    const { pid } = this.child;
    if (this.#isGroup && pid !== undefined) {
      try {
        process.kill(-pid, signal);
      } catch {
        // All of it has ended.
      }
    } else {
      this.child.kill(signal);
    }
    return this.ended;
  }

  #wakeOut(): void {
    for (const resolve of this.#outWaiters.splice(0)) resolve();
  }

  #wakeErr(): void {
    for (const resolve of this.#errWaiters.splice(0)) resolve();
  }
}

/** The addresses of servers that {@link World.servePeople} has started. */
const withPeople = new Set<string>();

/** A place of its own for one test, or for all of a group (`afterAll`): directories, processes, people; all gone after it. */
export class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'chat-e2e-'));
  readonly #running = new Set<Running>();

  constructor(atEnd: (close: () => Promise<void>) => void = onTestFinished) {
    atEnd(() => this.close());
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  start(
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    input?: string | Uint8Array,
    options?: ProcessOptions,
  ): Running {
    const running = new Running(args, env, input, options);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Starts a server on a free port and waits for its ready line; throws when it ends before. */
  async serve(flags: readonly string[] = [], place: { listen?: string; data?: string; cost?: number } = {}) {
    const running = this.startServer(flags, place);
    const ready = await running.line();
    const [address, fingerprint, directory] = ready?.split(' ') ?? [];
    if (!address || !fingerprint || !directory) throw new Error(`no server: ${running.err}`);
    return new ServerProcess(running, address, fingerprint, directory);
  }

  /**
   * Like {@link serve} with a new data directory, on a server where alice and bob have accounts: they are there at once when they
   * {@link Person.register}. For what is not about a new account or an empty server.
   */
  async servePeople(flags: readonly string[] = []) {
    const data = this.path('data');
    copyData(data);
    const server = await this.serve(flags, { data });
    withPeople.add(server.address);
    return server;
  }

  /** Starts a server and waits for nothing. */
  startServer(
    flags: readonly string[] = [],
    { listen = '127.0.0.1:0', data = this.path('data'), cost = 10 } = {},
  ): Running {
    const args = ['serve', '--listen', listen, '--data', data, '--bcrypt-cost', `${cost}`, ...flags];
    // Whatever this machine's own settings are, no test goes by them.
    const env = { CHAT_SERVE_CONFIG: devNull, CHAT_SYSTEM_CONFIG: devNull };
    return this.start(args, { PATH: process.env.PATH, HOME: this.path('operator'), ...env });
  }

  /** Somebody with a home of their own, at a server. */
  person(name: string, server: string | { readonly address: string }): Person {
    return new Person(this, name, typeof server === 'string' ? server : server.address);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.kill('SIGKILL')));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A server that is ready. */
export class ServerProcess {
  readonly running: Running;
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  readonly fingerprint: string;
  readonly data: string;

  constructor(running: Running, address: string, fingerprint: string, data: string) {
    this.running = running;
    this.address = address;
    this.fingerprint = fingerprint;
    this.data = data;
  }

  get port(): number {
    return Number(this.address.split(':').at(-1));
  }

  get pid(): number | undefined {
    return JSON.parse(readFileSync(join(this.data, 'lock'), 'utf8')).pid;
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    return this.running.kill(signal);
  }
}

/** One person with their own files; everything is said by the environment. */
export class Person {
  readonly world: World;
  readonly name: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(world: World, name: string, server: string) {
    this.world = world;
    this.name = name;
    this.home = world.path(name);
    this.env = { ...compileCache, ...environmentOf(name, this.home, server) };
  }

  /** Starts `chat ARGS` and leaves it running. */
  start(args: readonly string[], input: string | Uint8Array = '', env: NodeJS.ProcessEnv = {}): Running {
    return this.world.start(args, { ...this.env, ...env }, input);
  }

  /** Runs `chat ARGS` to its end. */
  run(
    args: readonly string[],
    input: string | Uint8Array = '',
    env: NodeJS.ProcessEnv = {},
  ): Promise<Outcome> {
    return this.start(args, input, env).ended;
  }

  /** Like {@link run}; throws unless the exit code is 0. Answers stdout. */
  async succeed(
    args: readonly string[],
    input: string | Uint8Array = '',
    env: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    const { code, out, err } = await this.run(args, input, env);
    if (code !== 0) throw new Error(`chat ${args.join(' ')} ended with ${code}: ${err}`);
    return out;
  }

  /** Like {@link succeed}, with `-o json`: one object per line. */
  async json<T = Record<string, unknown>>(
    args: readonly string[],
    input: string | Uint8Array = '',
  ): Promise<T[]> {
    return objectsOf(await this.succeed([...args, '-o', 'json'], input));
  }

  /**
   * Does what a test needs to be there and is not about: `chat ARGS` from the sources, in this process, which costs a tenth of the
   * built program's start. Throws unless it succeeds; answers stdout.
   */
  async does(
    args: readonly string[],
    input: string | Uint8Array = '',
    options: Pick<HereOptions, 'hasKeys' | 'hasBackup'> = {},
  ): Promise<string> {
    // Loaded at its first use: not every file has somebody who does something.
    const { runHere } = await import('./here.ts');
    const { code, out, err } = await runHere(args, this.env, { input, ...options });
    if (code !== 0) throw new Error(`chat ${args.join(' ')} ended with ${code}: ${err}`);
    return out;
  }

  /** Like {@link does}, with `-o json`: one object per line. */
  async doesJson<T = Record<string, unknown>>(args: readonly string[]): Promise<T[]> {
    return objectsOf(await this.does([...args, '-o', 'json']));
  }

  /**
   * Registers as {@link does}, and is logged in; at once on a server that has them already. With `hasKeys: false` without keys of private
   * messages, for half of the time: for who neither sends nor reads any. With `hasBackup: false` with keys for this machine alone, for
   * nearly as little.
   */
  async register(options: Pick<HereOptions, 'hasKeys' | 'hasBackup'> = {}): Promise<this> {
    const address = this.env.CHAT_SERVER ?? '';
    if (withPeople.has(address) && preparedPeople.includes(this.name))
      copyHome(this.name, this.home, address);
    else await this.does(['register', this.name], '', options);
    return this;
  }
}

const objectsOf = <T>(out: string): T[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
