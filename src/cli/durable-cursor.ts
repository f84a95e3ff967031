import { readdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ServerAddress } from '../client/address.ts';
import { ChatError } from '../core/errors.ts';
import { stateDirectory } from './directories.ts';
import { staleLockMs } from './file-lock.ts';
import { type HeldLock, holdLock } from './held-lock.ts';
import type { Host } from './host.ts';
import { readPrivateFile, replacePrivateFile, stateError } from './state-directory.ts';

/** Whose cursor it is. */
export interface CursorOwner {
  readonly server: ServerAddress;
  readonly context: string;
  readonly username: string;
  /** An account that was made anew under the same name has other conversations. */
  readonly userId: string;
}

/** How far a named reader has come, by conversation; kept in a file, which one process at a time holds. */
export interface DurableCursor {
  readonly path: string;
  /** The last seq that was handed over, or where reading began. */
  readonly positions: ReadonlyMap<string, number>;
  /** True when it was used for all own conversations: one that it does not know then began later. */
  readonly coversAll: boolean;
  /** Remembers where conversations begin that it does not know. */
  begin(starts: ReadonlyMap<string, number>, coversAll: boolean): void;
  /** All up to `seq` was handed over; the file follows within {@link saveAfterMs}, and never runs ahead. */
  move(to: string, seq: number): void;
  /** Resolves when the file says what was moved so far. */
  save(): Promise<void>;
  /** Saves, and lets another process have it. Throws why the file could not be written, now or before. */
  close(): Promise<void>;
}

/** How long a move waits for others before all are written together, in milliseconds: one fsync for a whole burst. */
export const saveAfterMs = 100;

const conversationShape = /^[#@][a-z0-9][a-z0-9._-]{0,31}$/;

interface SavedCursor {
  readonly user_id: string;
  readonly all: boolean;
  readonly positions: Readonly<Record<string, number>>;
}

/** The file of a cursor. Parts are set off by `@`, which none of them has, so that two never share a file. */
export function cursorPath(
  host: Pick<Host, 'env' | 'platform' | 'homeDirectory'>,
  { server, context, username }: Omit<CursorOwner, 'userId'>,
  name: string,
): string {
  const place = `${server.scheme}_${encodeURIComponent(server.host)}_${server.port}`;
  return join(stateDirectory(host), 'cursors', `${name}@${username}@${context}@${place}.json`);
}

function isSavedCursor(value: unknown): value is SavedCursor {
  if (typeof value !== 'object' || value === null) return false;
  const { user_id, all, positions } = value as Partial<Record<keyof SavedCursor, unknown>>;
  if (typeof user_id !== 'string' || typeof all !== 'boolean') return false;
  if (typeof positions !== 'object' || positions === null || Array.isArray(positions)) return false;
  return Object.entries(positions).every(
    ([to, seq]) => conversationShape.test(to) && Number.isSafeInteger(seq) && Number(seq) >= 0,
  );
}

const remedy = 'move it away, and the next run begins as a first one does (-n, --since)';

function parse(path: string, content: string, userId: string): SavedCursor {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw stateError(path, `is damaged (not JSON); ${remedy}`, error);
  }
  if (!isSavedCursor(value)) throw stateError(path, `is damaged (not a cursor); ${remedy}`);
  if (value.user_id !== userId) {
    throw stateError(path, `belongs to another account, which had the same name; ${remedy}`);
  }
  return value;
}

/** What processes that were killed as they wrote have left; nobody writes there now but who holds the lock. */
async function removeLeftovers(path: string): Promise<void> {
  const directory = dirname(path);
  for (const name of await readdir(directory).catch(() => [])) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.tmp')) continue;
    const leftover = join(directory, name);
    const { mtimeMs } = await stat(leftover).catch(() => ({ mtimeMs: Date.now() }));
    // One of a lock may be another's, who tries at this moment.
    const isLocks = name.startsWith(`${basename(path)}.lock.`);
    if (!isLocks || Date.now() - mtimeMs > staleLockMs) await unlink(leftover).catch(() => {});
  }
}

/** Keeps the file behind the positions: one write at a time, the moves of a moment together. */
class FileCursor implements DurableCursor {
  readonly path: string;
  readonly positions: Map<string, number>;
  coversAll: boolean;
  readonly #userId: string;
  readonly #host: Pick<Host, 'userId'>;
  readonly #lock: HeldLock;
  readonly #onFailure: () => void;
  #isDirty = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;

  constructor(
    path: string,
    saved: SavedCursor,
    { host, lock, onFailure }: { host: Host; lock: HeldLock; onFailure: () => void },
  ) {
    this.path = path;
    this.positions = new Map(Object.entries(saved.positions));
    this.coversAll = saved.all;
    this.#userId = saved.user_id;
    this.#host = host;
    this.#lock = lock;
    this.#onFailure = onFailure;
  }

  begin(starts: ReadonlyMap<string, number>, coversAll: boolean): void {
    for (const [to, after] of starts) if (!this.positions.has(to)) this.move(to, after);
    if (this.#isClosed || !coversAll || this.coversAll) return;
    this.coversAll = true;
    this.#soon();
  }

  move(to: string, seq: number): void {
    if (this.#isClosed || seq <= (this.positions.get(to) ?? -1)) return;
    this.positions.set(to, seq);
    this.#soon();
  }

  async save(): Promise<void> {
    // What is being written may be older than the last move; what is written after that is not.
    await this.#writing;
    if (this.#isDirty || this.#writing) await this.#write();
    if (this.#failure) throw this.#failure.reason;
  }

  /** Writes no more, and has `close` throw `reason`. */
  fail(reason: unknown): void {
    if (this.#failure) return;
    this.#failure = { reason };
    this.#onFailure();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      await this.save();
    } finally {
      await this.#lock.release();
    }
  }

  #soon(): void {
    this.#isDirty = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, saveAfterMs);
  }

  /** Writes the positions as they are now, after a write that is under way; one that failed is the last. */
  #write(): Promise<void> {
    this.#writing ??= this.#replace().finally(() => {
      this.#writing = undefined;
      if (this.#isDirty && !this.#failure) this.#soon();
    });
    return this.#writing;
  }

  async #replace(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDirty = false;
    if (this.#failure) return;
    const positions = Object.fromEntries([...this.positions].toSorted());
    const saved: SavedCursor = { user_id: this.#userId, all: this.coversAll, positions };
    try {
      await this.#lock.check();
      await replacePrivateFile(this.path, `${JSON.stringify(saved, undefined, 2)}\n`, this.#host.userId);
    } catch (error) {
      this.fail(error);
    }
  }
}

/**
 * Takes a named cursor for this process and reads it. Throws `conflict` (exit 7) naming the process that has it, and `invalid`
 * naming the file when it cannot be used. `onFailure` is told when the file can no longer be written; `close` throws why.
 */
export async function openCursor(
  host: Host,
  owner: CursorOwner,
  name: string,
  onFailure: () => void,
): Promise<DurableCursor> {
  const path = cursorPath(host, owner, name);
  let cursor: FileCursor | undefined;
  const lock = await holdLock(
    `${path}.lock`,
    host,
    (who) =>
      new ChatError(
        'conflict',
        `--durable ${name} is in use by ${who} (${path}.lock): end that one, or take another name`,
      ),
    (why) => cursor?.fail(why),
  );
  try {
    await removeLeftovers(path);
    const content = await readPrivateFile(path, host.userId);
    const saved: SavedCursor =
      content === undefined
        ? { user_id: owner.userId, all: false, positions: {} }
        : parse(path, content, owner.userId);
    cursor = new FileCursor(path, saved, { host, lock, onFailure });
    return cursor;
  } catch (error) {
    await lock.release();
    throw error;
  }
}
