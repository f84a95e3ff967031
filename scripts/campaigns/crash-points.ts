import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type AnsweredBackup, brokenBackups } from './backups.ts';
import type { Campaign, CommandLine } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, type Load, readAll, sendLoad } from './load.ts';
import { within } from './peers/peer.ts';
import { becomeAdministrator, open, signUp, signUpSender } from './people.ts';
import type { Sent } from './promises.ts';
import { seededFor } from './random.ts';
import { isReady, mustStart, type ServerProcess, startServer } from './server-process.ts';

import { requireSqlite, soundness } from './soundness.ts';

import { attach, countsOf, note, notedBy, requireStrace, underStrace } from './strace.ts';
import { ownEnd } from './unexpected.ts';

/** All by which something comes to be on disk, or goes from it. */
const calls = ['pwrite64', 'fdatasync', 'fsync', 'ftruncate', 'rename', 'unlink'] as const;
/** One thread for files, so that the n-th call of it is the n-th of all. */
const env = { UV_THREADPOOL_SIZE: '1' };
/** The end of a server that was killed is told at most so long after that of its connections, in milliseconds. */
const endMs = 500;

/** Where a server is killed: as it is about to make the n-th of these calls. */
interface Point {
  readonly call: string;
  readonly n: number;
}

/** What the trials share. */
interface Scene {
  readonly command: CommandLine;
  readonly directory: string;
  readonly seed: number;
}

/** What a kill came to. */
interface Killed {
  /** False when the point never came: not every trial makes as many calls as the rehearsal did. */
  readonly hasCome: boolean;
  readonly broken: string[];
}

/** What was done before the server was killed, or ended. */
interface Done {
  readonly sent: readonly Sent[];
  /** Undefined when none was asked for, or none was answered. */
  readonly backup?: AnsweredBackup | undefined;
  /** Why the backup was not made, if it was not. */
  readonly refused?: string | undefined;
}

/** What is going on when the server is killed. */
interface Scenario {
  /** Does it once to its end, and counts the calls. */
  rehearse(): Promise<ReadonlyMap<string, number>>;
  /** Does it until the point. */
  kill(point: Point, trial: number): Promise<Killed>;
}

/** What it is doing then. */
const kinds = ['start', 'migration', 'commit', 'checkpoint', 'backup', 'end'] as const;

/**
 * Kills the server at the n-th write, sync, truncation, renaming or removal of a file: as it starts for the first time, brings an old
 * database up to date, commits, writes the log into the file, makes a backup, and ends. The seed puts the points of each in an order, and
 * each trial takes the next: none comes again before all have, so that a run with enough trials has them all.
 */
export const crashPoints: Campaign = {
  about:
    'kills the server at a system call of a start, migration, commit, checkpoint, backup, end, one after the other',
  trials: 1_000,
  kinds,
  async run({ trials, seed, server: command, only = '', onTrial }) {
    requireStrace();
    requireSqlite();
    const directory = scratchDirectory('crash');
    const scene = { command, directory, seed };
    const serving = new Serving(scene);
    const scenarios = Object.entries(scenariosOf(scene, serving)).filter(([name]) => name.includes(only));
    const points = new Map<string, Point[]>();
    const broken: string[] = [];
    let missed = 0;
    try {
      for (let trial = 1; trial <= trials; trial++) {
        const [name, scenario] = scenarios[(trial - 1) % scenarios.length] ?? [];
        if (!name || !scenario) throw new Error(`there is no kind of crash called ${only}`);
        // Each point once before any comes again.
        const left = points.get(name) ?? [];
        if (left.length === 0) left.push(...pointsOf(seed, name, await scenario.rehearse()));
        points.set(name, left);
        const point = left.shift();
        if (!point) throw new Error(`${name} makes none of the calls`);
        const { hasCome, broken: found } = await scenario.kill(point, trial);
        if (!hasCome) missed += 1;
        const where = `${name}, ${hasCome ? 'killed at' : 'never came to'} ${point.call} ${point.n}`;
        broken.push(...found.map((sentence) => `trial ${trial}: ${where}: ${sentence}`));
        onTrial?.(`trial ${trial}: ${where}: ${found.length} promises broken, ${left.length} points left`);
      }
    } finally {
      await serving.close();
      removeScratch(directory);
    }
    const counts = {
      'messages acknowledged': serving.acknowledged,
      kills: trials - missed,
      'that never came': missed,
    };
    return { trials, counts, broken };
  },
};

function scenariosOf(scene: Scene, serving: Serving): Readonly<Record<(typeof kinds)[number], Scenario>> {
  return {
    start: starting(scene, 'start', { messages: [], prepare: () => {} }),
    migration: starting(scene, 'migration', { messages: ['one', 'two'], prepare: placeOldDatabase }),
    commit: serving.scenario(async (load) => ({
      sent: await sendLoad({ ...load, messages: 60, window: 1 }),
    })),
    // More than the thousand pages after which the log goes into the file.
    checkpoint: serving.scenario(async (load) => ({
      sent: await sendLoad({ ...load, messages: 300, size: 16_000, window: 4 }),
    })),
    backup: serving.scenario(backUp),
    end: serving.scenario(async (load, server) => {
      const sent = await sendLoad({ ...load, messages: 30 });
      await server.kill('SIGTERM');
      return { sent };
    }),
  };
}

/** In the order that the seed gives them: what one rehearsal counts more than another comes among them, and changes no other's place. */
export function pointsOf(seed: number, name: string, counts: ReadonlyMap<string, number>): Point[] {
  const placed = [...counts].flatMap(([call, count]) =>
    Array.from({ length: count }, (_, i) => {
      const n = i + 1;
      return { call, n, place: seededFor(seed, `${name} ${call} ${n}`)() };
    }),
  );
  return placed.toSorted((one, other) => one.place - other.place).map(({ call, n }) => ({ call, n }));
}

const oldDatabase = 'test/server/store/fixtures/format-1.db.gz';

function placeOldDatabase(data: string): void {
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, 'chat.db'), gunzipSync(readFileSync(oldDatabase)));
}

/** A start on what `prepare` has left, each time the same; the lobby has `messages` then. */
function starting(
  { command, directory }: Scene,
  name: string,
  { messages, prepare }: { messages: readonly string[]; prepare(data: string): void },
): Scenario {
  const data = join(directory, name);

  function prepareAnew(): void {
    rmSync(data, { recursive: true, force: true });
    prepare(data);
  }

  /** Somebody comes to the server that was started, and finds what is to be there. */
  async function brokenAt({ port }: ServerProcess): Promise<string[]> {
    const connection = await open(port, await signUp(port, 'newcomer'));
    const found = (await readAll(connection, '#lobby', 0)).map(({ text }) => text).join();
    await connection.close();
    return found === messages.join() ? [] : [`#lobby has "${found}" instead of "${messages.join()}"`];
  }

  return {
    async rehearse() {
      prepareAnew();
      const file = join(directory, 'calls');
      const server = await mustStart({ command: notedBy(command, calls, file), data, env });
      await server.kill();
      return countsOf(file, calls);
    },
    async kill({ call, n }) {
      prepareAnew();
      const doomed = await startServer({
        command: underStrace(command, [{ calls: [call], what: 'signal=SIGKILL', when: `${n}` }]),
        data,
        env,
      });
      // It was ready before.
      const hasCome = !isReady(doomed);
      const broken = isReady(doomed) ? [] : ownEnd(doomed, 'SIGKILL');
      if (isReady(doomed)) await doomed.kill();
      if (existsSync(join(data, 'chat.db'))) broken.push(...soundness(data, directory));
      const server = await startServer({ command, data });
      if (!isReady(server)) {
        return { hasCome, broken: [...broken, `it does not start any more: ${server.errors}`] };
      }
      broken.push(...(await brokenAt(server)));
      await server.kill();
      return { hasCome, broken };
    },
  };
}

/** A server that serves, over all the trials that it is needed in: each goes on from what the one before has left. */
class Serving {
  readonly #command: CommandLine;
  readonly #directory: string;
  readonly #data: string;
  readonly #seed: number;
  #loads = 0;
  readonly #ledger = new Ledger();
  #token = '';
  #server: ServerProcess | undefined;
  /** Sent since the last look. */
  #sent: Sent[] = [];
  #answered: AnsweredBackup[] = [];
  acknowledged = 0;

  constructor({ command, directory, seed }: Scene) {
    this.#command = command;
    this.#directory = directory;
    this.#data = join(directory, 'data');
    this.#seed = seed;
  }

  /** One thing that it does. */
  scenario(work: (load: Load, server: ServerProcess) => Promise<Done>): Scenario {
    return {
      rehearse: async () => {
        const file = join(this.#directory, 'calls');
        const server = await this.#running();
        const { detach } = await note(server.pid, calls, file);
        this.#take(await work(this.#load(server, 'rehearsal'), server));
        await detach();
        return countsOf(file, calls);
      },
      kill: async ({ call, n }, trial) => {
        const server = await this.#running();
        const injection = { calls: [call], what: 'signal=SIGKILL', when: `${n}` };
        const { detach } = await attach(server.pid, [injection]);
        const done = await work(this.#load(server, `${trial}`), server);
        this.#take(done);
        await within(server.ended, endMs);
        const isOver = server.hasEnded;
        const end = await server.kill();
        await detach();
        const hasCome = isOver && end.code === null;
        const broken = hasCome || end.code !== null ? ownEnd(end, hasCome ? 'SIGKILL' : 'SIGTERM') : [];
        if (!isOver && done.refused !== undefined) broken.push(`the backup was refused: ${done.refused}`);
        return { hasCome, broken: [...broken, ...(await this.#look())] };
      },
    };
  }

  async close(): Promise<void> {
    await this.#server?.kill();
  }

  #load({ port }: ServerProcess, label: string): Load {
    // A rehearsal may come again.
    this.#loads += 1;
    const name = `${label}-${this.#loads}`;
    return { port, token: this.#token, label: name, random: seededFor(this.#seed, `load ${name}`) };
  }

  #take({ sent, backup }: Done): void {
    this.#sent.push(...sent);
    if (backup) this.#answered.push(backup);
  }

  async #running(): Promise<ServerProcess> {
    if (this.#server && !this.#server.hasEnded) return this.#server;
    const server = await mustStart({ command: this.#command, data: this.#data, env });
    this.#server = server;
    if (this.#token === '') {
      this.#token = await signUpSender(server.port);
      await becomeAdministrator(server, this.#token);
    }
    return server;
  }

  /** Looks at the files, starts the server again, and looks at everything that was sent. */
  async #look(): Promise<string[]> {
    const sent = this.#sent;
    this.#sent = [];
    this.acknowledged += acknowledgedOf(sent);
    const found = soundness(this.#data, this.#directory);
    const { port } = await this.#running();
    found.push(...brokenBackups({ data: this.#data, scratch: this.#directory, answered: this.#answered }));
    this.#answered = [];
    found.push(...(await this.#ledger.check(port, this.#token, sent)));
    return found;
  }
}

/** Sends before a backup and during it. */
async function backUp(load: Load, server: ServerProcess): Promise<Done> {
  const before = await sendLoad({ ...load, messages: 20 });
  const making = (async (): Promise<Omit<Done, 'sent'>> => {
    try {
      const connection = await open(server.port, load.token);
      try {
        const { name, sha256 } = await connection.call('admin.backup', {});
        return { backup: { name, sha256, before } };
      } finally {
        await connection.close();
      }
    } catch (error) {
      return { refused: String(error) };
    }
  })();
  const during = await sendLoad({ ...load, label: `${load.label}.during`, messages: 40 });
  return { sent: [...before, ...during], ...(await making) };
}
