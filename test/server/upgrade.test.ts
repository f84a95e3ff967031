import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  clientEnvironment,
  keptNames,
  type Told,
  toldOf,
  unpackData,
  unpackHomes,
} from '../../scripts/keep-database/kept.ts';
import { callOperations } from '../../scripts/keep-database/program.ts';
import { secretBytes } from '../../scripts/keep-database/story.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { type RunningServer, serve } from '../../src/server/serve.ts';
import { migrations } from '../../src/server/store/migrations/index.ts';
import { openDatabase } from '../../src/server/store/sqlite/database.ts';
import { inspectDatabase } from '../../src/server/store/sqlite/inspect.ts';
import { type HereOutcome, runHere } from '../e2e/support/here.ts';

/** A while after the directory was made: nothing of it has expired. */
const laterMs = 600_000;
/** When the sessions of that day have ended, and what renews them has not. */
const sessionMs = 25 * 3_600_000;

const scratch = (prefix: string): Promise<string> => mkdtemp(join(tmpdir(), `chat-${prefix}-`));

async function scratchOfTest(prefix: string): Promise<string> {
  const directory = await scratch(prefix);
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs today's server in this process; how it is started says the version whose data it is. */
async function serveData(data: string, { inviteCode }: Told): Promise<RunningServer> {
  const flags = {
    listen: '127.0.0.1:0',
    data,
    'bcrypt-cost': '10',
    ...(inviteCode === undefined ? {} : { registration: 'invite' }),
  };
  return await serve(
    { flags, env: {}, platform: 'linux', homeDirectory: '/nowhere' },
    { ready: () => {}, log: () => {}, claim: () => {} },
  );
}

const addressOf = ({ port }: RunningServer): string => `127.0.0.1:${port}`;

async function end(running: RunningServer): Promise<void> {
  running.stop('SIGTERM');
  expect(await running.closed).toBe(0);
}

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

const objectsOf = <T>(out: string): T[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** False: without keys of private messages, for a fraction of the time. */
  readonly hasKeys?: boolean;
}

const withoutKeys = { hasKeys: false };

/** Somebody with today's client on one device. */
class Person {
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: string, home: string, server: string) {
    this.#env = { ...clientEnvironment(name, home, server), CHAT_SERVE_CONFIG: devNull };
  }

  run(args: readonly string[], { env = {}, hasKeys = true }: RunOptions = {}): Promise<HereOutcome> {
    return runHere(args, { ...this.#env, ...env }, { hasKeys });
  }

  async does(args: readonly string[], options?: RunOptions): Promise<string> {
    const { code, out, err } = await this.run(args, options);
    expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
    return out;
  }

  async tells<T = Record<string, unknown>>(args: readonly string[]): Promise<T[]> {
    return objectsOf<T>(await this.does([...args, '-o', 'json']));
  }

  heard(to: string): Promise<WireMessage[]> {
    return this.tells(['tail', to, '--since', 'all', '--once']);
  }
}

/** What of a message must stay as it was; a later version may tell more. */
const lasting = ({ to, seq, id, sender, sent_at, text }: WireMessage) => ({
  to,
  seq,
  id,
  sender,
  sent_at,
  text,
});

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

/** Their private messages are sealed for keys that no released version has made, and this one does not understand (CHANGELOG.md). */
const formatOfOtherKeys = 10;

it('there is a stored directory of the format that this version writes, made by `npx tsx scripts/keep-database.ts`', () => {
  expect(keptNames().map((name) => toldOf(name).format)).toContain(migrations.length);
});

describe.each(keptNames())('a data directory of %s', (name) => {
  const told = toldOf(name);
  const hasOtherKeys = told.format === formatOfOtherKeys;
  /** Where there were keys they come along with a login; where there were none new ones are made, which is tried once. */
  const bringsKeys = told.format === 1 || told.format > formatOfOtherKeys;
  /** Those that can be read. */
  const readable = (who: string) =>
    Object.entries(told.said[who] ?? {}).filter(([to]) => !hasOtherKeys || to.startsWith('#'));
  let directory: string;
  let data: string;
  let running: RunningServer;
  let address: string;
  /** One of the devices that were there. */
  const person = (who: string, device = who) => new Person(who, join(directory, 'homes', device), address);

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

  it('is that of the same server, whose clients are still logged in on both devices', async () => {
    expect(running.fingerprint).toBe(told.fingerprint);
    for (const device of ['alice', 'alice-laptop']) {
      const [account] = await person('alice', device).tells(['whoami']);
      const { user_id, username, email, privacy, created_at } = told.account;
      expect(account).toMatchObject({ user_id, username, email, privacy, created_at });
    }
    const sessions = await person('alice').tells(['sessions']);
    expect(told.sessions).toHaveLength(2);
    for (const { id, device } of told.sessions)
      expect(sessions).toContainEqual(expect.objectContaining({ id, device }));
  });

  it('has all messages, rooms, members and accounts, in their order', async () => {
    for (const reader of ['alice', 'bob']) {
      for (const [to, messages] of readable(reader)) {
        expect(messages.length).toBeGreaterThan(0);
        const heard = await person(reader).heard(to);
        expect(heard.slice(0, messages.length).map(lasting)).toEqual(messages.map(lasting));
      }
    }
    const names = (list: readonly { username: string }[]) => list.map(({ username }) => username);
    const alice = person('alice');
    expect(await alice.tells(['rooms'])).toEqual(
      told.rooms.map((room) =>
        expect.objectContaining({ ...room, last_seq: expect.any(Number), members: expect.any(Number) }),
      ),
    );
    expect(names(await alice.tells(['room', 'members', 'ops']))).toEqual(names(told.members));
    expect(names(await alice.tells(['users', '--all']))).toEqual(expect.arrayContaining(names(told.people)));
  });

  it('lets everybody log in with their passwords, and read what is private on a new device', async () => {
    for (const who of ['alice', 'bob']) {
      const fresh = new Person(who, await scratchOfTest('home'), address);
      await fresh.does(['login', who], { hasKeys: bringsKeys });

      for (const [to, messages] of readable(who))
        expect((await fresh.heard(to)).slice(0, messages.length).map(lasting)).toEqual(messages.map(lasting));
    }
    const stranger = new Person('alice', await scratchOfTest('home'), address);
    expect(await stranger.run(['login', 'alice'], { env: { CHAT_PASSWORD: 'a wrong horse' } })).toMatchObject(
      {
        code: 4,
      },
    );
  });

  if (hasOtherKeys) {
    it('names keys that are not understood, and lets new ones take their place', async () => {
      expect(await person('alice').run(['tail', '@bob', '--once'])).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringMatching(
          /is damaged \(no key file of this account\); move it away and log in again/,
        ),
      });
      const people = [];
      for (const who of ['alice', 'bob']) {
        const fresh = new Person(who, await scratchOfTest('home'), address);
        expect(await fresh.run(['login', who])).toMatchObject({
          code: 9,
          err: expect.stringContaining('the server shows a backup of keys that this account has not made'),
        });
        await fresh.does(['keys', 'rotate', '--new-identity', '--yes']);
        people.push(fresh);
      }
      const [alice, bob] = people;
      await alice?.does(['send', '@bob', 'with new keys']);
      expect((await bob?.heard('@alice'))?.at(-1)).toMatchObject({ text: 'with new keys' });
    });
  }

  it('has its open account, with the session of another door and the second factor', async () => {
    const { token, csrfToken } = told.openSession;
    const call = async <T extends object>(method: string, params: object): Promise<T> => {
      let result: T | undefined;
      await callOperations({ address }, async (ask) => {
        // Confirming a factor ends the sessions that knew none, but its own.
        await ask('login.resume', { session_token: token });
        result = await ask<T>(method, params);
      });
      return result as T;
    };
    expect(await call('account.me', {})).toMatchObject({
      username: 'otto',
      privacy: 'open',
      email: 'otto@example.org',
    });
    if (csrfToken !== undefined)
      expect(await call('session.check-csrf-token', { csrf_token: csrfToken })).toBeDefined();
    const otto = new Person('otto', await scratchOfTest('home'), address);
    if (told.secondFactor === undefined) {
      await otto.does(['login', 'otto'], withoutKeys);
      return;
    }
    const { secret, recoveryCodes } = told.secondFactor;
    expect(await otto.run(['login', 'otto'])).toMatchObject({ code: 11 });
    await otto.does(
      ['login', 'otto', '--otp', totpCode(secretBytes(secret), totpStep(Date.now()))],
      withoutKeys,
    );
    await otto.does(['login', 'otto', '--otp', recoveryCodes.at(-1) ?? ''], withoutKeys);
  });

  it('is searched for words that were said before', async () => {
    const wanted = told.said.alice?.['#ops']?.filter(({ text }) => text?.includes('deploy')) ?? [];
    expect(wanted).toHaveLength(2);
    // Of a version without search it is indexed bit by bit after the start.
    let found: WireMessage[] = [];
    while (found.length < wanted.length) {
      const { code, out, err } = await person('alice').run([
        'search',
        'deploy',
        '--in',
        '#ops',
        '-o',
        'json',
      ]);
      if (code !== 0) expect({ code, err }).toMatchObject({ code: 6 });
      found = objectsOf(out);
    }
    expect(found.map(lasting)).toEqual(wanted.map(lasting).reverse());
  });

  /** A room in which nobody else is. */
  const hearsGarden = async (carol: Person) => {
    const messages = told.said.carol?.['#garden'] ?? [];
    expect(messages).toHaveLength(1);
    expect((await carol.heard('#garden')).map(lasting)).toEqual(messages.map(lasting));
  };

  it('keeps what administrators have decided, and the codes that they gave out', async () => {
    const { disabled, inviteCode, resetCode, erasing, certified } = told;
    if (disabled !== undefined) {
      const frank = new Person(disabled, await scratchOfTest('home'), address);
      expect(await frank.run(['login', disabled])).toMatchObject({ code: 5 });
      const users = await person('alice').tells(['admin', 'users']);
      expect(users).toContainEqual(expect.objectContaining({ username: 'alice', admin: true }));
    }
    if (inviteCode !== undefined) {
      const invited = new Person('ivan', await scratchOfTest('home'), address);
      expect(await invited.run(['register', 'ivan'])).toMatchObject({ code: 5 });
      await invited.does(['register', 'ivan', '--invite', inviteCode], withoutKeys);
    }
    if (resetCode !== undefined) {
      const home = await scratchOfTest('home');
      fs.writeFileSync(join(home, 'code'), resetCode);
      const carol = new Person('carol', home, address);
      const anew = { env: { CHAT_PASSWORD: 'quite another horse' }, hasKeys: false };
      await carol.does(['reset', 'carol', '--code-file', join(home, 'code')], anew);
      await carol.does(['login', 'carol'], anew);
      await hearsGarden(carol);
    } else await hearsGarden(person('carol'));
    if (erasing !== undefined) {
      const users = await person('alice').tells<{ username: string; erases_at?: string }>(['admin', 'users']);
      expect(users.find(({ username }) => username === erasing)?.erases_at).toEqual(expect.any(String));
    }
    if (certified !== undefined) {
      const outcome = await person(certified).run(['login', certified, '--certificate']);
      expect(outcome.err).toContain(`logged in as ${certified}, with a certificate\n`);
      expect(outcome.code).toBe(hasOtherKeys ? 2 : 0);
    }
  });

  it('has an audit trail that goes on whole from where it was', async () => {
    if (told.audit === undefined) return;
    const rows = await person('alice').tells(['admin', 'audit', '--since', 'all']);
    expect(told.audit.length).toBeGreaterThan(5);
    expect(rows.slice(0, told.audit.length)).toEqual(told.audit);
    await person('alice').does(['admin', 'audit', '--verify']);
  });

  it('goes on with what clients had begun: a cursor, an outbox, a message that may have been lost', async () => {
    const texts = (
      await person('bob').tells<WireMessage>(['tail', '#ops', '--durable', 'seen', '--once'])
    ).map(({ text }) => text);
    expect(texts[0]).toBe(told.unseen);
    await person('alice').does(['outbox', 'send']);
    expect((await person('bob').heard('#ops')).filter(({ text }) => text === told.unsent)).toHaveLength(1);
    const beat = told.said.alice?.['#ops']?.find(({ text }) => text === 'heartbeat 20');
    const again = ['send', '#ops', '--key', 'beat-20', 'heartbeat 20'];
    expect(await person('bob').tells(again)).toEqual([expect.objectContaining({ seq: beat?.seq })]);
  });

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
