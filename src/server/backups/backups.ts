import { lstat, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ChatError } from '../../core/errors.ts';
import type { Backup, CheckedCopy } from '../../core/ports/operator.ts';
import { randomBytes } from '../../core/random.ts';
import { inspectAside } from '../store/sqlite/inspect-aside.ts';
import { type Copied, copyAside } from './copy-aside.ts';

/** The copies of one server's database. */
export interface Backups {
  backUp(now: number): Promise<Backup>;
  check(name: string | undefined, now: number): Promise<CheckedCopy>;
  /** The newest one in the directory, and how those of this process came out; undefined for a server that makes none. */
  figures(): Promise<BackupFigures | undefined>;
  /** Gives up what is being copied, with nothing left behind; no other begins. */
  stop(): Promise<void>;
}

/** What is known of backups. */
export interface BackupFigures {
  /** When the newest was made, by its name, UTC milliseconds; undefined when there is none. */
  readonly newestAt: number | undefined;
  readonly made: number;
  readonly failed: number;
  /** Free bytes where they go; undefined when the system does not say, as for a directory that is not there yet. */
  readonly freeBytes: number | undefined;
}

/** What backups are made of, and where they go. */
export interface BackupsOptions {
  /** Made at the first backup, for its owner alone. */
  readonly directory: string;
  /** The database's file. */
  readonly database: string;
  /** Runs the copying while that file holds everything and does not change. */
  whileStill<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Free bytes on the disk of a directory; asked of the system unless a test answers. */
  readonly freeBytes?: (directory: string) => Promise<number>;
}

const mebibyte = 1_048_576;
/** A server makes every name: `chat-20261121T153002Z-3f9a01.db`. Nothing else in the directory is its own. */
const backupName = /^chat-\d{8}T\d{6}Z-[0-9a-f]{6}\.db$/;
/** One that is not whole yet; what a killed server has left of it is removed at the next start. */
const partialName = /^chat-\d{8}T\d{6}Z-[0-9a-f]{6}\.db\.partial$/;
/** What a backup must leave free for the server itself: a disk that is full stores no message. */
const reservedBytes = 256 * mebibyte;

/** Opens the place for backups, which need not be there yet, and clears it of what a killed server has left. */
export async function openBackups(options: BackupsOptions): Promise<Backups> {
  const { directory, database, whileStill, freeBytes = freeOf } = options;
  await removePartial(directory);
  const stopping = new AbortController();
  let underWay: Promise<unknown> | undefined;
  let made = 0;
  let failed = 0;

  /** One at a time: two would only take longer, and twice the room. */
  async function alone<Result>(work: () => Promise<Result>): Promise<Result> {
    if (stopping.signal.aborted) throw new ChatError('unavailable', 'the server is shutting down');
    if (underWay) throw new ChatError('conflict', 'a backup or a check is being made: wait for it');
    const working = work();
    underWay = working;
    try {
      return await working;
    } finally {
      underWay = undefined;
    }
  }

  /** Copies the database to a partial file, which is the caller's to rename or to remove. */
  async function copyTo(path: string): Promise<Copied> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { size } = await stat(database);
    const wanted = size + reservedBytes;
    const free = await freeBytes(directory);
    if (free < wanted) {
      throw new ChatError(
        'unavailable',
        `no room for a backup: it takes ${mebibytes(size)} MiB, ${mebibytes(reservedBytes)} MiB must stay free besides, and ${Math.floor(free / mebibyte)} MiB are: make room, or give another --backup-dir`,
      );
    }
    return await whileStill(() => copyAside({ from: database, to: path }, stopping.signal));
  }

  /** Runs `work` on a new partial file, of which nothing is left when it fails. */
  async function withCopy<Result>(
    now: number,
    work: (copied: Copied, name: string) => Promise<Result>,
  ): Promise<Result> {
    const name = newName(now);
    const partial = `${name}.partial`;
    try {
      return await work(await copyTo(join(directory, partial)), name);
    } catch (error) {
      // What keeps it from being removed kept it from being made.
      await rm(join(directory, partial), { force: true }).catch(() => {});
      throw explained(error, directory);
    }
  }

  return {
    backUp: (now) =>
      alone(() =>
        withCopy(now, async ({ bytes, sha256 }, name) => {
          await rename(join(directory, `${name}.partial`), join(directory, name));
          await syncDirectory(directory);
          return { name, bytes, sha256 };
        }).then(
          (backup) => {
            made += 1;
            return backup;
          },
          (error: unknown) => {
            failed += 1;
            throw error;
          },
        ),
      ),
    check: (name, now) =>
      alone(async () => {
        if (name !== undefined) return await checked(directory, await existing(directory, name), name);
        return await withCopy(now, async (_copied, made) => {
          const partial = `${made}.partial`;
          const report = await checked(directory, partial, null);
          await rm(join(directory, partial));
          return report;
        });
      }),
    async figures() {
      const [newestAt, free] = await Promise.all([
        newestIn(directory),
        freeBytes(directory).catch(() => undefined),
      ]);
      return { newestAt, made, failed, freeBytes: free };
    },
    async stop() {
      stopping.abort();
      await underWay?.catch(() => {});
    },
  };
}

async function checked(directory: string, file: string, name: string | null): Promise<CheckedCopy> {
  const { size } = await stat(join(directory, file));
  const { format = 0, faults, trailFault } = await inspectAside(directory, file);
  const ofTrail = trailFault === undefined ? [] : [`the audit trail is not intact: ${trailFault}`];
  return { name, bytes: size, format, faults: [...faults, ...ofTrail] };
}

/** The name of a backup that is there: never a path, a link, or another file. */
async function existing(directory: string, name: string): Promise<string> {
  const found = backupName.test(name) ? await lstat(join(directory, name)).catch(() => undefined) : undefined;
  if (found?.isFile()) return name;
  throw new ChatError('not-found', 'there is no backup of this name', { field: 'name' });
}

async function newestIn(directory: string): Promise<number | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  const newest = names
    .filter((name) => backupName.test(name))
    .sort()
    .at(-1);
  const [, day, time] = /^chat-(\d{8})T(\d{6})Z/.exec(newest ?? '') ?? [];
  if (day === undefined || time === undefined) return undefined;
  const date = day.replace(/(....)(..)(..)/, '$1-$2-$3');
  return Date.parse(`${date}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`);
}

function newName(now: number): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  return `chat-${time}-${Buffer.from(randomBytes(3)).toString('hex')}.db`;
}

async function removePartial(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names) if (partialName.test(name)) await rm(join(directory, name), { force: true });
}

async function freeOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no directory to sync: its rename is on disk with the file system's own journal.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** In words what the system says with a code. */
function explained(error: unknown, directory: string): unknown {
  if (error instanceof ChatError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const text = isFull
    ? 'the disk for backups is full: nothing is left of this one'
    : `the directory for backups cannot be written (${code}): see --backup-dir`;
  return new ChatError('unavailable', text, {
    cause: Object.assign(new Error(`${directory}: ${code}`), { cause: error }),
  });
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / mebibyte);
}
