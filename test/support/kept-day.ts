import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { clientEnvironment, type Told } from '../../scripts/keep-database/kept.ts';
import { callOperations } from '../../scripts/keep-database/program.ts';
import { secretBytes } from '../../scripts/keep-database/story.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { totpCode, totpStep } from '../../src/core/crypto/totp.ts';
import { type RunningServer, serve } from '../../src/server/serve.ts';
import { type HereOutcome, runHere } from '../e2e/support/here.ts';

/** A while after the directory was made: nothing of it has expired. */
export const laterMs = 600_000;
/** When the sessions of that day have ended, and what renews them has not. */
export const sessionMs = 25 * 3_600_000;

export const scratch = (prefix: string): Promise<string> => mkdtemp(join(tmpdir(), `chat-${prefix}-`));

export async function scratchOfTest(prefix: string): Promise<string> {
  const directory = await scratch(prefix);
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs today's server in this process; how it is started says the version whose data it is. */
export async function serveData(
  data: string,
  { inviteCode }: Pick<Told, 'inviteCode'>,
  more: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const flags = {
    listen: '127.0.0.1:0',
    data,
    'bcrypt-cost': '10',
    ...(inviteCode === undefined ? {} : { registration: 'invite' }),
    ...more,
  };
  return await serve(
    { flags, env: {}, platform: 'linux', homeDirectory: '/nowhere' },
    { ready: () => {}, log: () => {}, claim: () => {} },
  );
}

export const addressOf = ({ port }: RunningServer): string => `127.0.0.1:${port}`;

export async function end(running: RunningServer): Promise<void> {
  running.stop('SIGTERM');
  expect(await running.closed).toBe(0);
}

export const objectsOf = <T>(out: string): T[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** False: without keys of private messages, for a fraction of the time. */
  readonly hasKeys?: boolean;
}

export const withoutKeys = { hasKeys: false };

/** Somebody with today's client on one device. */
export class Person {
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
export const lasting = ({ to, seq, id, sender, sent_at, text }: WireMessage) => ({
  to,
  seq,
  id,
  sender,
  sent_at,
  text,
});

/** Their private messages are sealed for keys that no released version has made, and this one does not understand (CHANGELOG.md). */
const formatOfOtherKeys = 10;

/** True for a directory whose private messages cannot be read any more. */
export const hasOtherKeys = ({ format }: Told): boolean => format === formatOfOtherKeys;

/** What somebody heard in conversations that can still be read. */
export const readableOf = (told: Told, who: string) =>
  Object.entries(told.said[who] ?? {}).filter(([to]) => !hasOtherKeys(told) || to.startsWith('#'));

/** A server of a stored day, and the files of the day's clients, each in the directory of its device. */
export interface KeptDay {
  readonly running: RunningServer;
  readonly homes: string;
}

/**
 * Declares what must hold for a server that has come to keep a stored day, in whatever way: whoever was a client of it that day goes on as
 * if nothing had been. The clock says a while after that day.
 */
export function describeKeptDay(told: Told, day: () => KeptDay): void {
  /** Where there were keys they come along with a login; where there were none new ones are made, which is tried once. */
  const bringsKeys = told.format === 1 || told.format > formatOfOtherKeys;
  /** Those that can be read. */
  const readable = (who: string) => readableOf(told, who);
  const address = (): string => addressOf(day().running);
  /** One of the devices that were there. */
  const person = (who: string, device = who) => new Person(who, join(day().homes, device), address());

  it('is that of the same server, whose clients are still logged in on both devices', async () => {
    expect(day().running.fingerprint).toBe(told.fingerprint);
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
      const fresh = new Person(who, await scratchOfTest('home'), address());
      await fresh.does(['login', who], { hasKeys: bringsKeys });

      for (const [to, messages] of readable(who))
        expect((await fresh.heard(to)).slice(0, messages.length).map(lasting)).toEqual(messages.map(lasting));
    }
    const stranger = new Person('alice', await scratchOfTest('home'), address());
    expect(await stranger.run(['login', 'alice'], { env: { CHAT_PASSWORD: 'a wrong horse' } })).toMatchObject(
      {
        code: 4,
      },
    );
  });

  if (hasOtherKeys(told)) {
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
        const fresh = new Person(who, await scratchOfTest('home'), address());
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
      await callOperations({ address: address() }, async (ask) => {
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
    const otto = new Person('otto', await scratchOfTest('home'), address());
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
      const frank = new Person(disabled, await scratchOfTest('home'), address());
      expect(await frank.run(['login', disabled])).toMatchObject({ code: 5 });
      const users = await person('alice').tells(['admin', 'users']);
      expect(users).toContainEqual(expect.objectContaining({ username: 'alice', admin: true }));
    }
    if (inviteCode !== undefined) {
      const invited = new Person('ivan', await scratchOfTest('home'), address());
      expect(await invited.run(['register', 'ivan'])).toMatchObject({ code: 5 });
      await invited.does(['register', 'ivan', '--invite', inviteCode], withoutKeys);
    }
    if (resetCode !== undefined) {
      const home = await scratchOfTest('home');
      fs.writeFileSync(join(home, 'code'), resetCode);
      const carol = new Person('carol', home, address());
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
      expect(outcome.code).toBe(hasOtherKeys(told) ? 2 : 0);
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
}
