import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { keptNames, toldOf, unpackData, unpackHomes } from '../../scripts/keep-database/kept.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import type { RunningServer } from '../../src/server/serve.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { runHere } from '../e2e/support/here.ts';
import {
  addressOf,
  describeKeptDay,
  end,
  laterMs,
  Person,
  scratch,
  scratchOfTest,
  serveData,
} from '../support/kept-day.ts';
import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
  type TestDatabase,
} from '../support/postgres-server.ts';

const name = keptNames().find((one) => toldOf(one).format === migrations.length) ?? '';
const told = toldOf(name);
const erased = 'good morning';

describe.skipIf(!hasPostgres())('an embedded server that was moved to PostgreSQL', () => {
  let directory: string;
  let server: PostgresServer;
  let database: TestDatabase;
  let running: RunningServer;
  let secret: string;
  const homes = (): string => join(directory, 'homes');

  const admin = (...words: string[]) =>
    runHere(['admin', ...words], {
      HOME: directory,
      CHAT_SYSTEM_CONFIG: devNull,
      CHAT_STORE: database.url,
      CHAT_CLUSTER_SECRET: secret,
    });

  const serveOn = (data: string): Promise<RunningServer> =>
    serveData(data, told, { store: database.url, 'cluster-secret': secret });

  /** Somebody's device, as it was that day. */
  const person = (who: string) => new Person(who, join(homes(), who), addressOf(running));

  beforeAll(async () => {
    server = await startPostgres();
    database = await server.createDatabase();
    vi.useFakeTimers({ toFake: ['Date'], now: told.madeAt + laterMs });
    directory = await scratch('moved');
    const data = join(directory, 'data');
    unpackData(name, data);
    secret = join(directory, 'secret');
    fs.writeFileSync(secret, randomBytes(32).toString('base64'), { mode: 0o600 });
    const moved = join(directory, 'moving');
    const exported = await admin('export-store', moved, '--data', data);
    expect(exported).toMatchObject({ code: 0, err: '' });
    // Told of each table the same: its rows, and the digest over them.
    expect(await admin('import-store', moved)).toEqual(exported);
    running = await serveOn(join(directory, 'node'));
    unpackHomes(name, homes(), addressOf(running));
  });
  afterAll(async () => {
    if (running) await end(running);
    vi.useRealTimers();
    await server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  describeKeptDay(told, () => ({ running, homes: homes() }));

  it('shows the same key from another node, with nothing in its data directory but what the store has', async () => {
    const keys = (node: string) =>
      ['ttpkeys/ca.key', 'serverkeys/server.key', 'ttpkeys/ca.crt'].map((file) =>
        fs.readFileSync(join(directory, node, file), 'utf8'),
      );
    expect(keys('node')).toEqual(keys('data'));
  });

  it('goes on counting where it was: the next message has the next number, the next conversation a new one', async () => {
    const [last] = (await person('bob').heard('#lobby')).slice(-1);
    const [sent] = await person('bob').tells<WireMessage>(['send', 'after the move']);
    expect(sent).toMatchObject({ seq: (last?.seq ?? 0) + 1 });
    await person('bob').does(['join', 'moved', '--create']);
    await person('bob').does(['send', '#moved', 'in a new room']);
    expect((await person('bob').heard('#moved')).map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'in a new room'],
    ]);
  });

  it('is refused a start while only half of it is there, and starts when the import has come to its end', async () => {
    const before = database;
    database = await server.createDatabase();
    onTestFinished(async () => {
      await database.drop();
      database = before;
    });
    const data = await scratchOfTest('half');
    unpackData(name, join(data, 'data'));
    const embedded = new DatabaseSync(join(data, 'data', 'chat.db'));
    embedded.prepare('UPDATE messages SET body = NULL, idempotency_key = NULL WHERE body = ?').run(erased);
    embedded.close();
    const moved = join(data, 'moving');
    expect(await admin('export-store', moved, '--data', join(data, 'data'))).toMatchObject({ code: 0 });
    const piece = join(moved, 'messages-000001.ndjson.gz');
    const { importStore } = await import('../../src/server/moving/import-store.ts');
    const stopped = importStore({
      directory: moved,
      store: database.url,
      clusterSecret: secret,
      onProgress: ({ table }) => {
        if (table === 'members') fs.renameSync(piece, `${piece}.away`);
      },
    });
    await expect(stopped).rejects.toThrow('is missing');
    await expect(serveOn(join(data, 'node'))).rejects.toMatchObject({
      code: 'unavailable',
      message:
        "the database holds half of a server's data: run chat admin import-store again, which goes on where it stopped",
    });
    fs.renameSync(`${piece}.away`, piece);
    expect(await admin('import-store', moved)).toMatchObject({ code: 0, err: '' });
    const anew = await serveOn(join(data, 'node'));
    onTestFinished(() => end(anew));
    unpackHomes(name, join(data, 'homes'), addressOf(anew));
    const bob = new Person('bob', join(data, 'homes', 'bob'), addressOf(anew));
    // What had been erased is still: its place is there, and it is found by no word.
    const [first] = await bob.heard('#lobby');
    expect(first).toMatchObject({ seq: 1, text: '[erased]', erased: true });
    expect(await bob.run(['search', 'morning', '--in', '#lobby'])).toMatchObject({ code: 6, out: '' });
  });
});
