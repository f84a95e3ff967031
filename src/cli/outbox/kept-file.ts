import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { ChatError } from '../../core/errors.ts';
import { conversationName, parseConversationName } from '../../core/model/conversation-name.ts';
import { maxTextBytes } from '../../core/policy.ts';
import { openPrivateFile, stateError, systemError } from '../state-directory.ts';
import { cutLines } from '../text-input.ts';

/** What the head of a file says about all messages in it. */
export interface KeptHead {
  readonly kind: 'message' | 'lines';
  readonly server: string;
  readonly context: string;
  /** Who sends them. */
  readonly user_id: string;
  readonly username: string;
  /** `#room` or `@user`. */
  readonly to: string;
  /** The idempotency key; of lines what their keys begin with. */
  readonly key: string;
  /** RFC 3339. */
  readonly kept_at: string;
}

/** One message of a file; of a single one the number is 1. */
export interface KeptLine {
  /** The line's number in the input that it came from. */
  readonly n: number;
  readonly text: string;
}

/** What a file holds, its digest compared. */
export interface KeptContent {
  readonly head: KeptHead;
  readonly count: number;
  readonly first: KeptLine;
}

/** The key that a message is sent under, whenever that is. */
export function keyOf({ kind, key }: KeptHead, { n }: KeptLine): string {
  return kind === 'message' ? key : `${key}.${n}`;
}

/*
 * A file is lines of JSON: the head, a line for each message, and a tail with their number and the digest of all before it.
 * So it can be written and read without being held in memory, and one that was damaged is found out before any of it is sent.
 */
const format = 1;
/** What is gathered before it is written, in characters. */
const gatheredLength = 65_536;
/** The longest line: a text of which every byte is escaped with six characters, and what stands around it. */
const maxRecordBytes = maxTextBytes * 6 + 1_024;
/** More than a tail ever has, in bytes. */
const maxTailBytes = 256;
const newline = 0x0a;

/** Writes a file from its first message to its last. */
export class KeptWriter {
  /** How many messages were added. */
  count = 0;
  readonly path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #gathered = '';

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Begins a file that is not there yet, 0600. Throws `invalid` naming it, as the other methods do, when it cannot be written. */
  static async create(path: string, head: KeptHead): Promise<KeptWriter> {
    const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
      throw systemError(path, 'write it', error);
    });
    const writer = new KeptWriter(path, file);
    writer.#gather({ format, ...head });
    return writer;
  }

  async add({ n, text }: KeptLine): Promise<void> {
    this.#gather({ n, text });
    this.count += 1;
    if (this.#gathered.length >= gatheredLength) await this.#write();
  }

  /** Resolves when all of it is on the disk. */
  async finish(): Promise<void> {
    await this.#write();
    this.#gather({ count: this.count, sha256: this.#hash.copy().digest('hex') });
    await this.#write();
    try {
      await this.#file.sync();
      await this.#file.close();
    } catch (error) {
      throw systemError(this.path, 'write it', error);
    }
  }

  /** Removes it. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await unlink(this.path).catch(() => {});
  }

  #gather(record: object): void {
    this.#gathered += `${JSON.stringify(record)}\n`;
  }

  async #write(): Promise<void> {
    const bytes = Buffer.from(this.#gathered);
    this.#gathered = '';
    this.#hash.update(bytes);
    try {
      await this.#file.appendFile(bytes);
    } catch (error) {
      throw systemError(this.path, 'write it', error);
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const headTexts = [
  'server',
  'context',
  'user_id',
  'username',
  'to',
  'key',
  'kept_at',
] as const satisfies readonly (keyof KeptHead)[];

function isHead(value: unknown): value is KeptHead {
  if (!isRecord(value) || value.format !== format) return false;
  if (value.kind !== 'message' && value.kind !== 'lines') return false;
  if (!headTexts.every((name) => typeof value[name] === 'string')) return false;
  if (Number.isNaN(Date.parse(String(value.kept_at)))) return false;
  try {
    return conversationName(parseConversationName(String(value.to))) === value.to;
  } catch {
    return false;
  }
}

function isLine(value: unknown): value is KeptLine {
  return isRecord(value) && Number.isSafeInteger(value.n) && typeof value.text === 'string';
}

function parse<T>(path: string, bytes: Uint8Array, is: (value: unknown) => value is T, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw damaged(path, `${what} is not JSON`, error);
  }
  if (!is(value)) throw damaged(path, `${what} is not what it should be`);
  return value;
}

function damaged(path: string, why: string, cause?: unknown): Error {
  return stateError(path, `is damaged (${why})`, cause);
}

const linesOf = (path: string, bytes: AsyncIterable<Uint8Array>) =>
  cutLines(bytes, {
    maxBytes: maxRecordBytes,
    tooLong: (number) => stateError(path, `is damaged (line ${number} is too long)`),
  });

/** The bytes of an open file up to `end`. */
const bytesOf = (file: FileHandle, end: number): AsyncIterable<Uint8Array> =>
  file.createReadStream({ start: 0, end: end - 1, autoClose: false });

async function readTail(path: string, file: FileHandle) {
  const { size } = await file.stat();
  const last = Buffer.alloc(Math.min(size, maxTailBytes));
  await file.read(last, 0, last.length, size - last.length);
  if (last.at(-1) !== newline) throw damaged(path, 'it has no end');
  const start = last.lastIndexOf(newline, -2) + 1;
  const isTail = (value: unknown): value is { count: number; sha256: string } =>
    isRecord(value) && Number.isSafeInteger(value.count) && typeof value.sha256 === 'string';
  const tail = parse(path, last.subarray(start, -1), isTail, 'its end');
  return { ...tail, offset: size - last.length + start };
}

/** Reads all of a file, and answers what it holds; undefined when it is not there. Throws `invalid` naming it when it is damaged. */
export async function inspectKept(
  path: string,
  userId: number | undefined,
): Promise<KeptContent | undefined> {
  const file = await openPrivateFile(path, userId);
  if (file === undefined) return undefined;
  try {
    const { count, sha256, offset } = await readTail(path, file);
    const hash = createHash('sha256');
    if (offset > 0) for await (const chunk of bytesOf(file, offset)) hash.update(chunk);
    if (hash.digest('hex') !== sha256) throw damaged(path, 'its digest is another');
    const lines = linesOf(path, bytesOf(file, offset))[Symbol.asyncIterator]();
    const [head, first] = [await lines.next(), await lines.next()];
    await lines.return?.();
    if (head.done || first.done) throw damaged(path, 'it is empty');
    return {
      head: parse(path, head.value.bytes, isHead, 'its head'),
      first: parse(path, first.value.bytes, isLine, 'its first message'),
      count,
    };
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file.close();
  }
}

function readError(path: string, error: unknown): unknown {
  return error instanceof ChatError ? error : systemError(path, 'read it', error);
}

/** The messages of a file from the `skip`-th on, a few at a time in memory; none when it is not there any more. */
export async function* readKept(path: string, userId: number | undefined, skip = 0): AsyncIterable<KeptLine> {
  const file = await openPrivateFile(path, userId);
  if (file === undefined) return;
  try {
    const { offset } = await readTail(path, file);
    for await (const { number, bytes } of linesOf(path, bytesOf(file, offset))) {
      if (number - 2 >= skip) yield parse(path, bytes, isLine, `line ${number}`);
    }
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file.close();
  }
}
