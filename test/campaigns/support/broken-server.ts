/**
 * `node broken-server.mjs FAULT [flags of serve]`, bundled (`scripts/bundled-breakers.ts`): a server with one part that breaks a promise, so
 * that a campaign is seen to find it. The real parts are wrapped here; nothing in src can do this.
 */
import { isUtf8 } from 'node:buffer';
import { existsSync, rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { ChatError } from '../../../src/core/errors.ts';
import type { AppendedMessage, NewMessage } from '../../../src/core/ports/store/messages.ts';
import { Connection } from '../../../src/server/connection.ts';
import { LineReader } from '../../../src/server/doors/line-reader.ts';
import { type ServeSurroundings, serve } from '../../../src/server/serve.ts';
import { serveOptions } from '../../../src/server/serve-options.ts';
import { type EmbeddedStore, sqliteStore, storeIn } from '../../../src/server/store/sqlite/store.ts';

type OpenStore = ServeSurroundings['openStore'];

/** By name, a store that breaks a promise. */
const faults = {
  /** Acknowledges a message before its commit, in a data directory that it has made itself; nothing but a sudden end shows it. */
  hasty: async (options) => {
    const isNew = !existsSync(join(options.directory, 'chat.db'));
    const store = await sqliteStore(options);
    return isNew ? hasty(store) : store;
  },
  /** Answers a backup whose renaming has failed. */
  'deaf-to-renames': (options) => {
    const { rename } = fs;
    fs.rename = (from, to) => rename(from, to).catch(() => {});
    syncBuiltinESMExports();
    return sqliteStore(options);
  },
  /** Stores what comes with a key that was there before. */
  keyless: async (options) => {
    const store = await sqliteStore(options);
    return { ...store, appendMessage: (message) => store.appendMessage({ ...message, key: undefined }) };
  },
  /** Begins anew where the database cannot be read. */
  forgetful: async (options) => {
    try {
      return await sqliteStore(options);
    } catch {
      for (const name of ['chat.db', 'chat.db-wal']) rmSync(join(options.directory, name), { force: true });
      return await sqliteStore(options);
    }
  },
  /** Never finds that too much waits for a connection. */
  boundless: (options) => {
    Object.defineProperty(Connection.prototype, 'isCongested', { get: () => false });
    Object.defineProperty(Connection.prototype, 'queuedBytes', { get: () => 0 });
    return sqliteStore(options);
  },
  /** Falls over a line that is no UTF-8. */
  brittle: (options) => {
    const { feed } = LineReader.prototype;
    LineReader.prototype.feed = function (this: LineReader, chunk) {
      if (!isUtf8(chunk)) throw new TypeError('this is no text');
      return feed.call(this, chunk);
    };
    return sqliteStore(options);
  },
  /** Answers a line of the pipe door twice now and then. */
  stammering: (options) => {
    const { pushText } = Connection.prototype;
    let said = 0;
    Connection.prototype.pushText = function (this: Connection, text) {
      pushText.call(this, text);
      if (this.door === 'pipe' && ++said % 20 === 0) pushText.call(this, text);
    };
    return sqliteStore(options);
  },
  /** Puts messages in the order of the clock. */
  'by-time': async (options) => {
    const store = await sqliteStore(options);
    return {
      ...store,
      async messages(query) {
        return (await store.messages(query)).toSorted((one, other) => one.sentAt - other.sentAt);
      },
    };
  },
  /** Acknowledges what it has no room for. */
  roomy: async (options) => {
    const store = await sqliteStore(options);
    return {
      ...store,
      appendMessage: (message) => store.appendMessage(message).catch(() => storedAs(message, 1)),
    };
  },
  /** Goes on as if nothing was when a sync fails. */
  'deaf-to-syncs': ({ directory, onFatal }) => {
    const worker = new URL('./broken-store-worker.mjs', import.meta.url);
    return storeIn(new Worker(worker, { workerData: { directory } }), onFatal);
  },
} satisfies Record<string, OpenStore>;

/** What a server can have broken. */
export type Fault = keyof typeof faults;

/** How long after its acknowledgement a message is stored: on a fast disk a commit comes before any kill. */
const hastyMs = 50;

/** Answers what the store will answer, at once; the first of each conversation is waited for, and says what the others go by. */
function hasty(store: EmbeddedStore): EmbeddedStore {
  const append = async (message: NewMessage, afterMs: number): Promise<AppendedMessage> => {
    if (afterMs > 0) await delay(afterMs);
    return (await store.appendMessage(message)) as AppendedMessage;
  };
  const first = new Map<string, Promise<AppendedMessage>>();
  const ends = new Map<string, number>();
  const answers = new Map<string, Promise<AppendedMessage>>();
  return {
    ...store,
    async appendMessage(message) {
      const to = JSON.stringify(message.to);
      const key = `${message.sender} ${message.key ?? message.id}`;
      const seq = (ends.get(to) ?? 0) + 1;
      const known = answers.get(key);
      if (known) return { ...(await known), kind: 'repeated' };
      ends.set(to, seq);
      const before = first.get(to);
      const appended = append(message, before === undefined ? 0 : hastyMs);
      appended.catch(() => {});
      const example = before ?? appended;
      first.set(to, example);
      const { id, sentAt } = message;
      const answer = example.then((one): AppendedMessage => ({ ...one, kind: 'stored', id, seq, sentAt }));
      answers.set(key, answer);
      return await answer;
    },
  };
}

/** What a store says of a message that it has. */
function storedAs({ id, sentAt }: NewMessage, seq: number) {
  return {
    kind: 'stored',
    conversation: 1 as never,
    audience: { kind: 'room', room: 'lobby' },
    id,
    seq,
    sentAt,
  } as const;
}

if (import.meta.main) {
  const [fault, ...args] = process.argv.slice(2);
  const { values: flags } = parseArgs({
    args,
    options: {
      ...Object.fromEntries(
        Object.entries(serveOptions).map(([name, { type }]) => [
          name,
          { type: type === 'flag' ? ('boolean' as const) : ('string' as const) },
        ]),
      ),
      // The command line's own: no settings file is read here.
      config: { type: 'string' },
    },
  });
  try {
    const running = await serve(
      { flags, env: {}, platform: process.platform, homeDirectory: homedir() },
      {
        ready: (line) => console.log(line),
        log: (line) => console.error(line),
        claim: (line) => console.error(line),
      },
      { process, openStore: faults[fault as Fault] },
    );
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => running.stop(signal));
    process.exit(await running.closed);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    console.error(`chat: ${error.message}`);
    process.exit(exitCodes[error.code]);
  }
}
