import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { wordsOf } from '../../src/core/search-terms.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { partMessages } from '../../src/server/store/queries/search-index.ts';
import { databaseName } from '../../src/server/store/sqlite/database-name.ts';
import { call } from './accounts.ts';
import { startServer } from './lab.ts';
import { scratchDirectory } from './left-overs.ts';
import { Wire } from './wire.ts';
import type { Course } from './workload.ts';

/** The account of a filled database, and what it logs in with. */
const benchLogin = { username: 'bench', password: 'bench password' } as const;

/** The room with most of the messages, and how many others have some. */
export const deepRoom = 'deep';
export const wideRooms = 1_000;
/** Messages in each of the others: a tenth as many in all, and what fills a page of the file, since sparse rooms share pages. */
export const inWideRoom = (messages: number): number => 20 + Math.ceil(messages / (10 * wideRooms));
/** One of the others, from 0. */
export const wideRoom = (index: number): string => `wide-${index}`;

/** A data directory as a server leaves it that has stored so many messages. */
export interface Filled {
  /** Messages in {@link deepRoom}. */
  readonly messages: number;
  readonly data: string;
  /** Of the database, in bytes. */
  readonly bytes: number;
}

/** Where filled databases are kept: they take minutes to make, and can be used again. */
export const keptIn = process.env.CHAT_BENCH_DATA;
/** The size that targets are for. */
export const targetSize = 10_000_000;
const allSizes = [1_000, 100_000, 1_000_000, targetSize];

/** The sizes that are measured, in messages of the deep room: beyond a hundred thousand only where there is a place to keep them. */
export function sizes({ leaveOut }: Pick<Course, 'leaveOut'>): readonly number[] {
  const most = Number(process.env.CHAT_BENCH_MESSAGES ?? (keptIn === undefined ? 100_000 : targetSize));
  for (const size of allSizes.filter((one) => one > most)) {
    leaveOut(`${size.toLocaleString('en')} messages`, 'name a directory for them with CHAT_BENCH_DATA');
  }
  return allSizes.filter((size) => size <= most);
}

/** Makes a database in `directory`, or finds it there. What it is used for may not change it by much. */
export async function filledIn(directory: string, messages: number): Promise<Filled> {
  // A database of another format would be brought up to date while it is measured.
  const data = join(directory, `${messages}-format-${migrations.length}`);
  if (!existsSync(data)) {
    const unfinished = `${data}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    await withRoom(unfinished);
    fill(join(unfinished, databaseName), messages);
    await check(unfinished, messages);
    renameSync(unfinished, data);
  }
  return { messages, data, bytes: statSync(join(data, databaseName)).size };
}

/** A copy to be written to. One that is large is answered itself: it grows by little, and to copy it takes a minute. */
export function copyOf(filled: Filled): Filled {
  if (filled.messages > 1_000_000) return filled;
  const data = join(scratchDirectory(), 'data');
  cpSync(filled.data, data, { recursive: true });
  return { ...filled, data };
}

/** Logs the account of a filled database in; answers a token for any number of connections. */
export async function benchToken(port: number): Promise<string> {
  const wire = await Wire.open(port);
  const { session_token: token } = await call<{ session_token: string }>(wire, 'login.password', benchLogin);
  wire.close();
  return token;
}

/** What the server makes itself: the tables, an account, and a room with it in it. */
async function withRoom(data: string): Promise<void> {
  const server = await startServer(data);
  const wire = await Wire.open(server.port);
  await call(wire, 'account.register', benchLogin);
  await call(wire, 'login.password', benchLogin);
  await call(wire, 'room.create', { room: deepRoom });
  wire.close();
  await server.stop();
}

/** A word of so many, of letters alone: the index has it as it is. */
function word(number: number): string {
  let text = '';
  for (let rest = number + 26 ** 4; rest > 0; rest = Math.floor(rest / 26)) {
    text += String.fromCharCode(97 + (rest % 26));
  }
  return text;
}

const vocabulary = Array.from({ length: 8_192 }, (_, index) => word(index * 31));
const wordsOfMessage = 16;

/** Sixteen words, the frequent ones in every other message and the rare ones in one of thousands; the same for the same number. */
export function textOf(message: number): string {
  let state = (message * 2_654_435_761 + 1) % 4_294_967_296;
  let text = '';
  for (let i = 0; i < wordsOfMessage; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The square of an even chance: words are as unevenly used as people use them, or nearly.
    const chance = state / 4_294_967_296;
    text += `${i === 0 ? '' : ' '}${vocabulary[Math.floor(chance * chance * vocabulary.length)]}`;
  }
  return text;
}

/** A UUID version 7 in the order of its number; `kind` tells ids from keys. */
function uuid(at: number, number: number, kind: string): string {
  const time = at.toString(16).padStart(12, '0');
  const rest = (number % 2 ** 48).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${kind}-8${kind}-${rest}`;
}

/** Stores messages in the file as the server would have: with their places in the index of words, and their conversations' heads. */
function fill(path: string, messages: number): void {
  const db = new DatabaseSync(path, { defensive: false });
  // A file that is not finished is thrown away.
  db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF');
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144');
  const user = db.prepare('SELECT id FROM users WHERE username = ?').get(benchLogin.username);
  const deep = Number(db.prepare('SELECT id FROM conversations WHERE room = ?').get(deepRoom)?.id);
  // A server lets nobody make so many at once: the others are made as that one was.
  const makeRoom = db.prepare(
    'INSERT INTO conversations (room, last_seq, latest_at, created_at) SELECT ?, 0, 0, created_at FROM conversations WHERE id = ? RETURNING id',
  );
  const joinRoom = db.prepare(
    'INSERT INTO members (conversation_id, user_id, read_seq, joined_at) SELECT ?, user_id, 0, joined_at FROM members WHERE conversation_id = ?',
  );
  const insert = db.prepare(
    'INSERT INTO messages (conversation_id, seq, id, sender_id, sent_at, latest_at, body, idempotency_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const insertPart = db.prepare(
    'INSERT INTO search_parts (conversation_id, first_seq, next_seq, is_anew) VALUES (?, ?, ?, 0) RETURNING id',
  );
  // Numbers of JavaScript come as floating-point ones, which a column turns back and this table does not.
  const putWords = db.prepare(
    'INSERT INTO search_index (docid, words, part) VALUES (CAST(? AS INTEGER), ?, CAST(? AS INTEGER))',
  );
  const head = db.prepare('UPDATE conversations SET last_seq = ?, latest_at = ? WHERE id = ?');
  const perWide = inWideRoom(messages);
  const all = messages + perWide * wideRooms;
  /** The last of them was sent an hour ago, and the others a second apart: no clock has to be set. */
  const start = Date.now() - 3_600_000 - all * 1_000;
  let number = 0;
  const rooms: (readonly [conversation: number, count: number])[] = [[deep, messages]];
  for (let index = 0; index < wideRooms; index++) {
    const conversation = Number(makeRoom.get(wideRoom(index), deep)?.id);
    joinRoom.run(conversation, deep);
    rooms.push([conversation, perWide]);
  }
  for (const [conversation, count] of rooms) {
    let sentAt = 0;
    for (let first = 1; first <= count; first += partMessages) {
      db.exec('BEGIN');
      const end = Math.min(first + partMessages, count + 1);
      const part = Number(insertPart.get(conversation, first, end)?.id);
      for (let seq = first; seq < end; seq++) {
        number += 1;
        sentAt = start + number * 1_000;
        const text = textOf(number);
        const id = uuid(sentAt, number, 'aaa');
        const key = uuid(sentAt, number, 'bbb');
        insert.run(conversation, seq, id, String(user?.id), sentAt, sentAt, text, key);
        putWords.run(seq, text, part);
      }
      db.exec('COMMIT');
    }
    head.run(count, sentAt, conversation);
  }
  db.exec('PRAGMA journal_mode = WAL');
  db.close();
}

/** Asks a server for some of what was filled in: what it answers is what it would have stored. */
async function check(data: string, messages: number): Promise<void> {
  const server = await startServer(data);
  try {
    const wire = await Wire.open(server.port);
    await call(wire, 'login.password', benchLogin);
    for (const seq of [1, Math.ceil(messages / 2), messages]) {
      const text = textOf(seq);
      if (wordsOf(text).join(' ') !== text) throw new Error(`the index would have other words of: ${text}`);
      const page = await call<Answer>(wire, 'message.history', {
        to: `#${deepRoom}`,
        after: seq - 1,
        limit: 1,
      });
      const found = await call<Answer>(wire, 'message.search', { q: `"${text}"`, to: `#${deepRoom}` });
      for (const [how, answer] of [
        ['read', page],
        ['found', found],
      ] as const) {
        const [message] = answer.messages;
        if (message?.seq !== seq || message.text !== text)
          throw new Error(`message ${seq} is not ${how}: ${JSON.stringify(answer)}`);
      }
    }
    wire.close();
  } finally {
    await server.stop();
  }
}

interface Answer {
  readonly messages: readonly { readonly seq: number; readonly text?: string }[];
}
