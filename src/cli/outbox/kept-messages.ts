import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatServerAddress } from '../../client/address.ts';
import { type ChatError, type ErrorCode, isErrorCode } from '../../core/errors.ts';
import { uuidV7 } from '../../core/random.ts';
import type { CommandContext } from '../command.ts';
import { stateDirectory } from '../directories.ts';
import { isRunning, staleLockMs, withFileLock } from '../file-lock.ts';
import { type HeldLock, holdLock } from '../held-lock.ts';
import type { Host } from '../host.ts';
import { type Account, profileOf } from '../session.ts';
import {
  ensureDirectory,
  isMissing,
  readPrivateFile,
  removePrivateFile,
  replacePrivateFile,
  stateError,
  syncDirectory,
  systemError,
} from '../state-directory.ts';
import {
  inspectKept,
  type KeptContent,
  type KeptHead,
  type KeptLine,
  KeptWriter,
  readKept,
} from './kept-file.ts';

/** Why the server did not take an entry as it is. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What is known about an entry besides its file: nothing of it is needed to send it. */
export interface EntryState {
  /** Messages of it that the server has stored, from the first one on. */
  readonly stored: number;
  readonly refused: Refusal | undefined;
}

/** One message, or lines, that the server is still to get. */
export interface KeptEntry extends KeptContent, EntryState {
  readonly id: string;
}

/** An entry that is being written. */
export interface Keeping {
  /** How many messages it has so far. */
  readonly count: number;
  add(line: KeptLine): Promise<void>;
  /** Makes it an entry, after all that are there; it is on the disk when its id is answered. */
  keep(): Promise<string>;
  abandon(): Promise<void>;
}

const suffix = '.jsonl';
const stateSuffix = '.state.json';
const idShape = /^[0-9a-z]{8,9}$/;
const freshState: EntryState = { stored: 0, refused: undefined };

/** Ids are times in base 36, each above the one before it. */
const numberOf = (id: string): number => Number.parseInt(id, 36);

/**
 * What this run's server and context still have to get, one file an entry, in a directory of its own below the state directory's
 * `outbox`. An entry is there whole or not at all.
 */
export class KeptMessages {
  readonly directory: string;
  readonly #server: string;
  readonly #context: string;
  readonly #host: Host;

  /** Touches no file yet. */
  constructor(context: CommandContext) {
    this.#host = context.host;
    this.#server = formatServerAddress(context.settings.server);
    this.#context = context.settings.context;
    this.directory = join(outboxDirectory(context), basename(profileOf(context).path, '.json'));
  }

  /** All entries' ids in their order, also of those that are damaged. */
  async ids(): Promise<string[]> {
    const names = await namesIn(this.directory);
    return names.flatMap(idOf).sort((one, other) => numberOf(one) - numberOf(other));
  }

  /** Undefined when it is not there any more. Throws `invalid` naming the file when it cannot be used. */
  async read(id: string): Promise<KeptEntry | undefined> {
    const path = this.#pathOf(id);
    const content = await inspectKept(path, this.#host.userId);
    if (content === undefined) return undefined;
    const { server, context } = content.head;
    if (server !== this.#server || context !== this.#context)
      throw stateError(path, `belongs to ${server} (context ${context})`);
    return { id, ...content, ...(await this.#stateOf(id)) };
  }

  /** The messages of an entry that are not stored, a few at a time in memory. */
  lines({ id, stored }: KeptEntry): AsyncIterable<KeptLine> {
    return readKept(this.#pathOf(id), this.#host.userId, stored);
  }

  /** Begins an entry. Throws `invalid` naming the directory or the file, as its methods do, when it cannot be written. */
  async begin(
    { user_id, username }: Account,
    about: Pick<KeptHead, 'kind' | 'to' | 'key'>,
  ): Promise<Keeping> {
    const { processId, hostName, userId } = this.#host;
    const isNew = await this.#makeDirectory(userId);
    const name = `new.${processId}.${encodeURIComponent(hostName)}.${uuidV7()}.tmp`;
    const writer = await KeptWriter.create(join(this.directory, name), {
      kind: about.kind,
      server: this.#server,
      context: this.#context,
      user_id,
      username,
      to: about.to,
      key: about.key,
      kept_at: new Date(this.#host.now()).toISOString(),
    });
    return {
      get count() {
        return writer.count;
      },
      add: (line) => writer.add(line),
      keep: async () => {
        await writer.finish();
        const id = await this.#name(writer.path);
        if (isNew)
          for (const above of [dirname(this.directory), stateDirectory(this.#host)])
            await syncDirectory(above);
        return id;
      },
      abandon: () => writer.abandon(),
    };
  }

  /** Remembers how far an entry is, or why it was refused. */
  async note(id: string, state: EntryState): Promise<void> {
    await replacePrivateFile(this.#statePathOf(id), `${JSON.stringify(state)}\n`, this.#host.userId);
  }

  /** True when there was one. */
  async remove(id: string): Promise<boolean> {
    const was = await removePrivateFile(this.#pathOf(id));
    await removePrivateFile(this.#statePathOf(id));
    return was;
  }

  /**
   * Takes the right to send and to remove, which one process has at a time; throws what `busy` answers when another has it. What
   * killed processes have left half done is cleared away. Undefined when nothing was ever kept here.
   */
  async lock(busy: (who: string) => ChatError): Promise<HeldLock | undefined> {
    if ((await namesIn(this.directory)).length === 0) return undefined;
    const lock = await holdLock(join(this.directory, 'sending.lock'), this.#host, busy);
    await this.#clear();
    return lock;
  }

  #pathOf(id: string): string {
    return join(this.directory, `${id}${suffix}`);
  }

  #statePathOf(id: string): string {
    return join(this.directory, `${id}${stateSuffix}`);
  }

  /** True when it was not there. */
  async #makeDirectory(userId: number | undefined): Promise<boolean> {
    const was = await stat(this.directory).then(
      () => true,
      () => false,
    );
    if (!was) await ensureDirectory(dirname(this.directory), userId);
    await ensureDirectory(this.directory, userId);
    return !was;
  }

  /** Gives a file that is complete its place behind the others. */
  async #name(path: string): Promise<string> {
    return await withFileLock(join(this.directory, 'keeping.lock'), this.#host, async () => {
      const last = (await this.ids()).at(-1);
      const number = Math.max(this.#host.now(), last === undefined ? 0 : numberOf(last) + 1);
      const id = number.toString(36);
      try {
        await rename(path, this.#pathOf(id));
        await syncDirectory(this.directory);
      } catch (error) {
        throw systemError(this.#pathOf(id), 'write it', error);
      }
      return id;
    });
  }

  /** What it says is a help and no more: one that is damaged says nothing. */
  async #stateOf(id: string): Promise<EntryState> {
    try {
      const text = await readPrivateFile(this.#statePathOf(id), this.#host.userId);
      return text === undefined ? freshState : parseState(JSON.parse(text));
    } catch {
      return freshState;
    }
  }

  async #clear(): Promise<void> {
    const names = await namesIn(this.directory);
    for (const name of names) {
      if (await this.#isLeftover(name, names)) await unlink(join(this.directory, name)).catch(() => {});
    }
  }

  /** Only whoever has the lock may ask. */
  async #isLeftover(name: string, names: readonly string[]): Promise<boolean> {
    const [, what, pid, hostName] = /^(.*?)\.(\d+)\.(.*)\.[0-9a-f-]{36}\.tmp$/.exec(name) ?? [];
    const isOfTheDead =
      pid !== undefined && hostName === encodeURIComponent(this.#host.hostName) && !isRunning(Number(pid));
    if (isOfTheDead) return true;
    if (what === 'new') return false;
    if (name.endsWith(stateSuffix)) return !names.includes(name.replace(stateSuffix, suffix));
    if (!name.endsWith('.tmp')) return false;
    if (name.includes(stateSuffix)) return true;
    // One of a lock may be that of another, who tries at this moment; by its age it is nobody's.
    const { mtimeMs } = await stat(join(this.directory, name)).catch(() => ({ mtimeMs: Date.now() }));
    return Date.now() - mtimeMs > staleLockMs;
  }
}

function outboxDirectory({ host }: CommandContext): string {
  return join(stateDirectory(host), 'outbox');
}

/** How many entries other servers and contexts have. */
export async function countOthers(context: CommandContext, own: KeptMessages): Promise<number> {
  let count = 0;
  const outbox = outboxDirectory(context);
  for (const name of await namesIn(outbox)) {
    const directory = join(outbox, name);
    if (directory === own.directory) continue;
    count += (await namesIn(directory).catch(() => [])).flatMap(idOf).length;
  }
  return count;
}

const idOf = (name: string): string[] => {
  const id = basename(name, suffix);
  return name.endsWith(suffix) && idShape.test(id) ? [id] : [];
};

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw systemError(directory, 'list it', error);
  }
}

function parseState(value: unknown): EntryState {
  const { stored, refused } = value as { stored?: unknown; refused?: { code?: unknown; message?: unknown } };
  const { code, message } = refused ?? {};
  return {
    stored: Number.isSafeInteger(stored) && Number(stored) > 0 ? Number(stored) : 0,
    refused: isErrorCode(code) && typeof message === 'string' ? { code, message } : undefined,
  };
}
