import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { keptNames, toldOf, unpackData, unpackHomes } from '../../scripts/keep-database/kept.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import type { RunningServer } from '../../src/server/serve.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { openDatabase } from '../../src/server/store/sqlite/database.ts';
import { inspectDatabase } from '../../src/server/store/sqlite/inspect.ts';
import {
  addressOf,
  describeKeptDay,
  end,
  lasting,
  laterMs,
  Person,
  readableOf,
  scratch,
  scratchOfTest,
  serveData,
  sessionMs,
  withoutKeys,
} from '../support/kept-day.ts';

/** The files of a directory, each with its digest; SQLite makes the log as it looks into a database, and leaves it empty. */
const contentOf = (directory: string): Record<string, string> =>
  Object.fromEntries(
    fs
      .readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !path.endsWith('-wal') || fs.statSync(path).size > 0)
      .sort()
      .map((path) => [path, createHash('sha256').update(fs.readFileSync(path)).digest('hex')]),
  );

/** What SQLite's `integrity_check` finds, and its look at references between tables; and the format. */
async function soundnessOf(data: string) {
  const { format, faults, trailFault } = await inspectDatabase({
    directory: data,
    isThorough: true,
  });
  const database = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
  const dangling = database.prepare('PRAGMA foreign_key_check').all();
  database.close();
  return { format, faults, trailFault, dangling };
}

async function formatIn(data: string): Promise<number | undefined> {
  return (await inspectDatabase({ directory: data })).format;
}

it('there is a stored directory of the format that this version writes, made by `npx tsx scripts/keep-database.ts`', () => {
  expect(keptNames().map((name) => toldOf(name).format)).toContain(migrations.length);
});

describe.each(keptNames())('a data directory of %s', (name) => {
  const told = toldOf(name);
  const readable = (who: string) => readableOf(told, who);
  let directory: string;
  let data: string;
  let running: RunningServer;
  let address: string;
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: told.madeAt + laterMs });
    directory = await scratch('upgrade');
    data = join(directory, 'data');
    unpackData(name, data);
    running = await serveData(data, told);
    address = addressOf(running);
    unpackHomes(name, join(directory, 'homes'), address);
  });
  afterAll(async () => {
    await end(running);
    vi.useRealTimers();
    await rm(directory, { recursive: true, force: true });
  });

  it('is looked into by serve --check without a change, and told what the next start does', async () => {
    const looked = join(await scratchOfTest('look'), 'data');
    unpackData(name, looked);
    const before = contentOf(looked);
    expect(Object.keys(before).some((path) => path.endsWith('chat.db-wal'))).toBe(told.isKilled);
    const operator = new Person('operator', await scratchOfTest('home'), '127.0.0.1:1');
    const out = await operator.does(['serve', '--check', '--listen', '127.0.0.1:0', '--data', looked]);
    const update =
      told.format < migrations.length ? `; the next start brings it to format ${migrations.length}` : '';
    expect(out).toContain(`chat.db is sound, format ${told.format}${update}\n`);
    expect(contentOf(looked)).toEqual(before);
  });

  describeKeptDay(told, () => ({ running, homes: join(directory, 'homes') }));

  it('takes what is new, is sound afterwards, and opens again with all of it', async () => {
    const copy = await scratchOfTest('again');
    unpackData(name, join(copy, 'data'));
    const first = await serveData(join(copy, 'data'), told);
    unpackHomes(name, join(copy, 'homes'), addressOf(first));
    const alice = new Person('alice', join(copy, 'homes', 'alice'), addressOf(first));
    const [sent] = await alice.tells<WireMessage>(['send', '#ops', 'written by a later version']);
    const before = told.said.alice?.['#ops'] ?? [];
    expect(sent).toMatchObject({ seq: before.length + 1 });
    const dora = new Person('dora', join(copy, 'homes', 'dora'), addressOf(first));
    await dora.does(
      ['register', 'dora', ...(told.inviteCode ? ['--invite', told.inviteCode] : [])],
      withoutKeys,
    );
    await end(first);
    const sound = { format: migrations.length, faults: [], trailFault: undefined, dangling: [] };
    expect(await soundnessOf(join(copy, 'data'))).toEqual(sound);
    const second = await serveData(join(copy, 'data'), told);
    onTestFinished(() => end(second));
    const again = await scratchOfTest('home');
    const anew = new Person('dora', again, addressOf(second));
    await anew.does(['login', 'dora'], withoutKeys);
    await anew.does(['join', 'ops']);
    const texts = (await anew.heard('#ops')).map(({ text }) => text);
    expect(texts).toEqual([...before.map(({ text }) => text), 'written by a later version']);
    // A session of then is renewed by what it was given then.
    vi.setSystemTime(told.madeAt + sessionMs);
    onTestFinished(() => void vi.setSystemTime(told.madeAt + laterMs));
    const homes = await scratchOfTest('homes');
    unpackHomes(name, homes, addressOf(second));
    await new Person('bob', join(homes, 'bob'), addressOf(second)).does(['rooms']);
  });

  it('has a backup that restores, where there were backups', async () => {
    if (told.backup === undefined) return;
    const restored = await scratchOfTest('restored');
    for (const keys of ['serverkeys', 'ttpkeys'])
      fs.cpSync(join(data, keys), join(restored, keys), { recursive: true });
    fs.copyFileSync(join(data, 'backups', told.backup), join(restored, 'chat.db'));
    const server = await serveData(restored, told);
    onTestFinished(() => end(server));
    const homes = await scratchOfTest('homes');
    unpackHomes(name, homes, addressOf(server));
    const alice = new Person('alice', join(homes, 'alice'), addressOf(server));
    expect(server.fingerprint).toBe(told.fingerprint);
    for (const [to, messages] of readable('alice')) {
      const then = messages.filter(({ text }) => text !== told.unseen);
      expect((await alice.heard(to)).map(lasting)).toEqual(then.map(lasting));
    }
  });
});

describe('an upgrade that ended after one of its steps', () => {
  const oldest = 'format-1';
  const steps = migrations.map((_, index) => index + 1).slice(1, -1);

  it.each(steps)('goes on from format %i, with all that was there', async (format) => {
    const data = await scratchOfTest('halfway');
    unpackData(oldest, data);
    const halfway = await openDatabase({
      directory: data,
      migrations: migrations.slice(0, format),
    });
    // As a kill leaves it: what was committed is in the log.
    halfway.abandon();
    expect(await formatIn(data)).toBe(format);
    const whole = await openDatabase({ directory: data });
    whole.close();
    // What seals the trail is written with its first rows, by a server.
    const { trailFault: _, ...sound } = await soundnessOf(data);
    expect(sound).toEqual({ format: migrations.length, faults: [], dangling: [] });
    const database = new DatabaseSync(join(data, 'chat.db'), { readOnly: true });
    const rows = database.prepare('SELECT id FROM messages ORDER BY id').all();
    database.close();
    const said = toldOf(oldest).said;
    const known = [...Object.values(said.alice ?? {}), ...Object.values(said.carol ?? {})].flat();
    expect(rows.map(({ id }) => id)).toEqual(known.map(({ id }) => id).sort());
  });
});

describe('a database of the format after this one', () => {
  const newest = `format-${migrations.length}`;
  const told = toldOf(newest);
  const why = `was written by a newer chat (its format is ${migrations.length + 1}, this one knows ${migrations.length}): start that version, or restore an older backup`;
  let data: string;
  beforeEach(async () => {
    data = await scratchOfTest('newer');
    unpackData(newest, data);
    const database = new DatabaseSync(join(data, 'chat.db'));
    database.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    database.close();
  });

  /** All but the lock, which says who looked. */
  const kept = (): Record<string, string> =>
    Object.fromEntries(Object.entries(contentOf(data)).filter(([path]) => !path.endsWith('/lock')));

  it.each([
    ['serve', ['serve', '--listen', '127.0.0.1:0', '--data']],
    ['serve --check', ['serve', '--check', '--listen', '127.0.0.1:0', '--data']],
    ['admin reset --data', ['admin', 'reset', 'alice', '--data']],
    ['admin totp off --data', ['admin', 'totp', 'off', 'alice', '--data']],
  ])(
    'is refused by %s with one line that says what to do, exit 3, and stays byte for byte',
    async (_, words) => {
      const before = kept();
      const operator = new Person('operator', await scratchOfTest('home'), '127.0.0.1:1');
      const { code, out, err } = await operator.run([...words, data]);
      expect(code).toBe(3);
      expect(`${out}${err}`.split('\n').filter((line) => line.includes(why))).toHaveLength(1);
      expect(kept()).toEqual(before);
    },
  );

  it('is found by admin check when it is a backup, and refused when it is restored', async () => {
    const name = 'chat-20990101T000000Z-abcdef.db';
    const restored = await scratchOfTest('restored');
    unpackData(newest, restored);
    vi.useFakeTimers({ toFake: ['Date'], now: told.madeAt + laterMs });
    const server = await serveData(restored, told);
    onTestFinished(async () => {
      await end(server);
      vi.useRealTimers();
    });
    fs.copyFileSync(join(data, 'chat.db'), join(restored, 'backups', name));
    const homes = await scratchOfTest('homes');
    unpackHomes(newest, homes, addressOf(server));
    const alice = new Person('alice', join(homes, 'alice'), addressOf(server));
    const { code, out, err } = await alice.run(['admin', 'check', name]);
    expect(code).toBe(3);
    expect(`${out}${err}`).toContain(why.split(':')[0]);
    const anew = await scratchOfTest('anew');
    fs.copyFileSync(join(restored, 'backups', name), join(anew, 'chat.db'));
    await expect(serveData(anew, told)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(why),
    });
    expect(fs.readFileSync(join(anew, 'chat.db'))).toEqual(fs.readFileSync(join(data, 'chat.db')));
  });
});
