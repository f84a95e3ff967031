import { type FileHandle, open, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SendLine } from '../client/send.ts';
import { ChatError } from '../core/errors.ts';
import { conversationName, parseConversationName } from '../core/model/conversation-name.ts';
import { uuidV7 } from '../core/random.ts';
import type { CommandContext } from './command.ts';
import { stateDirectory } from './directories.ts';
import { jsonLine } from './escape.ts';
import { inspectLock, isStaleLock } from './file-lock.ts';
import { type HeldLock, holdLock } from './held-lock.ts';
import { profileOf } from './session.ts';
import {
  ensureWritable,
  isMissing,
  readPrivateFile,
  removePrivateFile,
  replacePrivateFile,
  stateError,
  syncDirectory,
} from './state-directory.ts';

/** What the server said to messages that it will not take as they are. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Messages for one conversation that are kept on this machine until the server has them, in their order. */
export interface KeptEntry {
  /** Sorts by the time at which it was kept. */
  readonly id: string;
  /** The account that sends them. */
  readonly username: string;
  readonly to: string;
  /** RFC 3339. */
  readonly kept_at: string;
  readonly refused: Refusal | undefined;
}

/** A file in the outbox that cannot be understood. */
export interface DamagedEntry {
  readonly id: string;
  readonly problem: ChatError;
}

/** A line that is being written while its messages are being sent. */
export interface Spool {
  readonly id: string;
  /** Writes a message; throws when that fails, and then it is not kept. */
  add(message: SendLine): Promise<void>;
  /** Tells that so many messages, from the first one on, are stored on the server by now. */
  settle(count: number): Promise<void>;
  /** Makes what is not settled last over a power cut, as an entry. */
  keep(): Promise<void>;
  /** Drops everything. */
  drop(): Promise<void>;
}

/** The messages that one account of one server and context still has to send. */
export interface KeptMessages {
  readonly directory: string;
  /** In the order in which they were kept. */
  list(): Promise<{ readonly entries: readonly KeptEntry[]; readonly damaged: readonly DamagedEntry[] }>;
  /** Keeps one message, on disk when it resolves; throws when that fails, and then it is not kept. */
  keep(username: string, to: string, message: SendLine): Promise<KeptEntry>;
  spool(username: string, to: string): Promise<Spool>;
  /** The messages of an entry. */
  messages(id: string): AsyncIterable<SendLine>;
  /** Remembers why the server does not take an entry. */
  refuse(id: string, refusal: Refusal): Promise<void>;
  /** True when there was one. */
  remove(id: string): Promise<boolean>;
  /** Runs `work` while no other process sends from here; throws `unavailable` naming one that does. */
  sending<T>(work: () => Promise<T>): Promise<T>;
}

interface Header {
  readonly username: string;
  readonly to: string;
  readonly kept_at: string;
}

const suffix = '.jsonl';
/** What is still being written: an entry once its writer is gone. */
const spoolSuffix = '.part';
const idShape = /^[0-9a-f-]{36}$/;
/** What is gathered before it is written, in characters. */
const writeAt = 65_536;
/** Spools are cut to nothing when all of them is settled and they have grown beyond this, in bytes. */
const cutAt = 1_048_576;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function parseHeader(path: string, line: string): Header {
  const value = parseJson(line);
  const damaged = () => stateError(path, 'is damaged; see what is in it, then: chat outbox rm ID');
  if (!isRecord(value)) throw damaged();
  const { username, to, kept_at } = value;
  if (typeof username !== 'string' || typeof to !== 'string' || typeof kept_at !== 'string') throw damaged();
  try {
    return { username, to: conversationName(parseConversationName(to)), kept_at };
  } catch {
    throw damaged();
  }
}

function parseMessage(path: string, line: string): SendLine {
  const value = parseJson(line);
  if (isRecord(value) && typeof value.key === 'string' && typeof value.text === 'string')
    return { key: value.key, text: value.text };
  throw stateError(path, 'is damaged; see what is in it, then: chat outbox rm ID');
}

/** Opens what is kept for this run's server and context; touches no file yet. */
export function openKeptMessages(context: CommandContext): KeptMessages {
  const { host } = context;
  const profile = basename(profileOf(context).path, '.json');
  const directory = join(stateDirectory(host), 'outbox', profile);
  const pathOf = (id: string): string => join(directory, `${id}${suffix}`);
  const refusalOf = (id: string): string => join(directory, `${id}.refused.json`);
  const lockPath = join(directory, 'sending.lock');
  const busy = (who: string): ChatError =>
    new ChatError('unavailable', `${who} is sending from the outbox (${lockPath})`);

  /** Turns what a writer that is gone has left into entries. */
  async function adopt(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (!name.endsWith(spoolSuffix)) continue;
      const path = join(directory, name);
      const lock = await inspectLock(`${path}.lock`);
      if (lock !== undefined && !isStaleLock(lock, host.hostName)) continue;
      await rename(path, pathOf(basename(name, spoolSuffix))).catch(ignoreMissing);
    }
  }

  async function namesIn(): Promise<string[]> {
    try {
      return await readdir(directory);
    } catch (error) {
      if (isMissing(error)) return [];
      throw stateError(directory, 'cannot list it', error);
    }
  }

  async function readEntry(id: string): Promise<KeptEntry | undefined> {
    const path = pathOf(id);
    const first = await firstLine(path);
    if (first === undefined) return undefined;
    const refusal = parseJson((await readPrivateFile(refusalOf(id), host.userId)) ?? '');
    const refused =
      isRecord(refusal) && typeof refusal.code === 'string' && typeof refusal.message === 'string'
        ? { code: refusal.code, message: refusal.message }
        : undefined;
    return { id, ...parseHeader(path, first), refused };
  }

  const kept: KeptMessages = {
    directory,
    async list() {
      await adopt(await namesIn());
      const entries: KeptEntry[] = [];
      const damaged: DamagedEntry[] = [];
      for (const name of (await namesIn()).sort()) {
        const id = basename(name, suffix);
        if (!name.endsWith(suffix) || !idShape.test(id)) continue;
        try {
          const entry = await readEntry(id);
          if (entry !== undefined) entries.push(entry);
        } catch (error) {
          if (!(error instanceof ChatError)) throw error;
          damaged.push({ id, problem: error });
        }
      }
      return { entries, damaged };
    },
    async keep(username, to, message) {
      const id = uuidV7();
      const header: Header = { username, to, kept_at: new Date(host.now()).toISOString() };
      await replacePrivateFile(pathOf(id), jsonLine(header) + jsonLine(message), host.userId);
      return { id, ...header, refused: undefined };
    },
    async spool(username, to) {
      const id = uuidV7();
      const path = join(directory, `${id}${spoolSuffix}`);
      await ensureWritable(directory, host.userId);
      const lock = await holdLock(`${path}.lock`, host, busy);
      const header: Header = { username, to, kept_at: new Date(host.now()).toISOString() };
      return await openSpool({ id, path, entryPath: pathOf(id), header, lock });
    },
    async *messages(id) {
      const path = pathOf(id);
      let isHeader = true;
      for await (const { line, isWhole } of linesOf(path)) {
        // A writer that was killed may have left half a line, whose message it had not sent.
        if (!isHeader && isWhole) yield parseMessage(path, line);
        isHeader = false;
      }
    },
    refuse: (id, refusal) => replacePrivateFile(refusalOf(id), `${JSON.stringify(refusal)}\n`, host.userId),
    async remove(id) {
      await removePrivateFile(refusalOf(id));
      return await removePrivateFile(pathOf(id));
    },
    async sending(work) {
      await ensureWritable(directory, host.userId);
      const lock = await holdLock(lockPath, host, busy);
      try {
        return await work();
      } finally {
        await lock.release();
      }
    },
  };
  return kept;
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

/** Undefined for a file that is not there. */
async function firstLine(path: string): Promise<string | undefined> {
  try {
    for await (const { line } of linesOf(path)) return line;
    return '';
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The lines of a file of any size; `isWhole` is false for a last one without its end. */
async function* linesOf(path: string): AsyncIterable<{ line: string; isWhole: boolean }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const endsWhole = last.toString() === '\n';
    let before: string | undefined;
    for await (const line of file.readLines({ start: 0, autoClose: false })) {
      if (before !== undefined) yield { line: before, isWhole: true };
      before = line;
    }
    if (before !== undefined) yield { line: before, isWhole: endsWhole };
  } finally {
    await file.close();
  }
}

/** A spool's lines from the `skip`-th on, behind its head. */
async function* unsettled(path: string, skip: number, head: string): AsyncIterable<string> {
  yield head;
  let at = 0;
  for await (const { line } of linesOf(path)) {
    if (at >= skip) yield `${line}\n`;
    at += 1;
  }
}

async function openSpool(of: {
  readonly id: string;
  readonly path: string;
  readonly entryPath: string;
  readonly header: Header;
  readonly lock: HeldLock;
}): Promise<Spool> {
  const { id, path, entryPath, header, lock } = of;
  const failed = (error: unknown): ChatError =>
    stateError(path, 'cannot write it, so what comes now is not kept', error);
  const file: FileHandle = await open(path, 'ax', 0o600);
  const head = jsonLine(header);
  await file.appendFile(head).catch((error: unknown) => Promise.reject(failed(error)));
  let gathered = '';
  /** Of what is in the file. */
  let added = 0;
  let settled = 0;
  let bytes = 0;

  async function flush(): Promise<void> {
    const text = gathered;
    gathered = '';
    if (text === '') return;
    bytes += Buffer.byteLength(text);
    try {
      await file.appendFile(text);
    } catch (error) {
      throw failed(error);
    }
  }

  async function end(): Promise<void> {
    await file.close();
    await lock.release();
  }

  return {
    id,
    async add(message) {
      gathered += jsonLine(message);
      added += 1;
      if (gathered.length >= writeAt) await flush();
    },
    async settle(count) {
      settled += count;
      if (settled < added || gathered !== '') return;
      if (bytes < cutAt) return;
      bytes = 0;
      added = 0;
      settled = 0;
      await file.truncate(Buffer.byteLength(head));
    },
    async keep() {
      await flush();
      const rest = `${path}.rest`;
      const whole = await open(rest, 'wx', 0o600);
      try {
        await whole.appendFile(unsettled(path, 1 + settled, head));
        await whole.sync();
      } catch (error) {
        throw failed(error);
      } finally {
        await whole.close();
      }
      await rename(rest, entryPath);
      await removePrivateFile(path);
      await syncDirectory(dirname(path));
      await end();
    },
    async drop() {
      await end();
      await removePrivateFile(path);
    },
  };
}

/** How many messages an entry has, and how the first one begins; for a list. */
export async function summary(
  kept: KeptMessages,
  id: string,
): Promise<{ readonly count: number; readonly first: string }> {
  let count = 0;
  let first = '';
  for await (const { text } of kept.messages(id)) {
    count += 1;
    if (count === 1) first = text;
  }
  return { count, first };
}
