import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKeyStore } from '../../src/cli/key-store.ts';
import { parseServerAddress } from '../../src/client/address.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { pinOfRecord } from '../../src/client/keys/pin.ts';
import { ChatError } from '../../src/core/errors.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { testPin } from './support/fake-client.ts';
import type { Outside } from './support/fake-host.ts';
import { loggedIn } from './support/logged-in.ts';

const { realm } = testPin;
const noPassword = { password: undefined, stretch: async () => new Uint8Array(32) };

async function keysOf(name: string) {
  return (await makeKeys({ realm, user: parseUsername(name) }, undefined, noPassword)).file;
}

/** Alice is logged in and has her keys here; the server shows bob's. */
async function world(outside: Outside = {}) {
  const [alice, bob] = [await keysOf('alice'), await keysOf('bob')];
  const shown: { record: string | null } = { record: bob.record.text };
  const made = await loggedIn({ 'keys.get': () => ({ ...shown, newest_seq: 1 }) }, outside);
  const store = openKeyStore(made.host, {
    server: parseServerAddress('127.0.0.1:8080'),
    realm,
    username: 'alice',
  });
  await store.update(() => alice);
  return { ...made, store, alice, bob, shown };
}

describe('chat keys', () => {
  it('shows the epoch of the own keys and whose are known, and whether they were compared', async () => {
    const { run, store, bob } = await world();
    const carol = await keysOf('carol');
    await store.update((file) => {
      if (!file) throw new Error('no keys');
      const pins = new Map([
        ['bob', pinOfRecord(bob.record)],
        ['carol', pinOfRecord(carol.record, true)],
      ]);
      return { ...file, pins };
    });
    const { code, stdout } = await run('keys');
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [expect.stringMatching(/^own\tepoch 1, since \d{4}-/), '@bob\tnot compared', '@carol\tverified', ''],
    ]);
    expect(JSON.parse((await run('keys', '-o', 'json')).stdout)).toMatchObject({
      username: 'alice',
      epoch: 1,
      seq: 1,
      known: [
        { user: 'bob', seq: 1, verified: false },
        { user: 'carol', seq: 1, verified: true },
      ],
    });
  });

  it('says what to do on a machine that has none', async () => {
    const { run } = await loggedIn();
    for (const args of [['keys'], ['keys', 'verify', 'bob'], ['trust', 'bob']]) {
      expect(await run(...args, '--no-color')).toEqual({
        code: 6,
        stdout: '',
        stderr:
          'chat: this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE)\n',
      });
    }
  });

  it.each([
    [['verify', 'bob', '--number', '12345'], '--number takes the 60 digits that the other one sees'],
    [['verify', 'alice'], 'these are your own keys: chat keys shows them'],
    [['rotate', '--recovery-file', 'x'], '--recovery-file goes with --new-identity'],
    [['rotate', '--yes'], '--yes goes with --new-identity'],
    [['rotate', '--new-identity'], '--new-identity needs --yes in a script'],
  ])('%j is refused before anything is done', async (args, why) => {
    const { run, store, alice } = await world({ env: { CHAT_PASSWORD: 'secret' } });
    const { code, stdout, stderr } = await run('keys', ...args, '--no-color');
    expect([code, stdout, stderr]).toEqual([2, '', `chat: ${why}\n`]);
    expect(await store.load()).toEqual(alice);
  });
});

describe('a new recovery key', () => {
  const shape = /^([0-9A-Z]{4}-){6}[0-9A-Z]{4}\n$/;
  const full = new ChatError('invalid', 'cannot write the output (ENOSPC): its disk is full');
  const commands = [
    ['keys', 'backup'],
    ['keys', 'rotate', '--new-identity', '--yes'],
  ];

  /** Alice, who proves her password, and whose backup the server keeps. */
  async function backedUp(outside: Outside = {}) {
    const env = { CHAT_PASSWORD: 'secret' };
    const made = await world({ env, ...outside });
    const { server, alice, store } = made;
    Object.assign(server.answers, {
      'keys.get': () => ({ record: alice.record.text, newest_seq: 1, backup_version: 1 }),
      'keys.backup': { version: 2 },
      'keys.publish': { seq: 2 },
      'account.me': { username: 'alice', second_factor: { on: false }, privacy: 'open' },
    });
    const changes = () => server.calls.filter(({ name }) => /^keys\.(backup|publish)$/.test(name)).length;
    const untouched = async () => changes() === 0 && (await store.load())?.record.text === alice.record.text;
    return { ...made, changes, untouched, file: join(made.host.stateHome, 'key') };
  }

  it.each(commands)(
    'of chat %s %s is on stdout, or in a new file that its owner alone can read',
    async (...args) => {
      const { run, file } = await backedUp();
      expect(await run(...args)).toMatchObject({ code: 0, stdout: expect.stringMatching(shape) });
      const again = await backedUp();
      const { code, stdout, stderr } = await again.run(...args, '--recovery-file', file);
      expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining(`is in ${file}`)]);
      expect(await readFile(file, 'utf8')).toMatch(shape);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const third = await backedUp();
      expect(JSON.parse((await third.run(...args, '-o', 'json')).stdout).recovery_key).toMatch(
        /^[0-9A-Z-]{34}$/,
      );
    },
  );

  it.each(commands)('of chat %s %s that the output does not take changes nothing', async (...args) => {
    const { run, host, untouched } = await backedUp();
    host.stdout.flush = async () => Promise.reject(full);
    const { code, stderr } = await run(...args, '--no-color');
    expect([code, stderr]).toEqual([
      2,
      `chat: ${full.message}; nothing was changed: the recovery key from before still counts\n`,
    ]);
    expect(await untouched()).toBe(true);
  });

  it.each(commands)('of chat %s %s with nowhere to keep it changes nothing', async (...args) => {
    const { run, host, untouched, file, store } = await backedUp();
    await writeFile(file, 'mine');
    for (const [path, why] of [
      [file, 'is there already'],
      [join(file, 'x'), '(ENOTDIR)'],
    ]) {
      const { code, stderr } = await run(...args, '--recovery-file', `${path}`);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${why}`)]);
    }
    expect([await readFile(file, 'utf8'), host.asked]).toEqual(['mine', []]);
    const keys = dirname(store.path);
    await chmod(keys, 0o500);
    const { code, stdout, stderr } = await run(...args);
    await chmod(keys, 0o700);
    // Nothing is shut to root.
    if (process.getuid?.() !== 0)
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(keys)]);
    if (process.getuid?.() !== 0) expect(await untouched()).toBe(true);
  });

  it.each(commands)(
    'of chat %s %s is taken back when it is refused, and both count when nobody knows',
    async (...args) => {
      const { run, server, file } = await backedUp();
      const failWith = (error: ChatError) =>
        Object.assign(server.answers, { 'keys.backup': error, 'keys.publish': error });
      failWith(new ChatError('unauthenticated', 'the password is wrong'));
      expect(await run(...args, '--no-color')).toMatchObject({
        code: 4,
        stdout: expect.stringMatching(shape),
        stderr: expect.stringContaining('The recovery key above opens nothing: it was not stored.\n'),
      });
      expect((await run(...args, '--recovery-file', file)).code).toBe(4);
      await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
      failWith(new ChatError('unavailable', 'the connection broke'));
      expect(await run(...args, '--recovery-file', file)).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('it is not known which recovery key counts now: keep both'),
      });
      expect(await readFile(file, 'utf8')).toMatch(shape);
    },
  );
});

describe('chat keys verify', () => {
  it('asks a person whether the numbers are the same, and remembers a yes alone', async () => {
    for (const [answer, verified] of [
      ['no', false],
      ['yes', true],
    ] as const) {
      const { run, store, host } = await world({ terminal: true, typed: [answer] });
      const { code, stdout } = await run('keys', 'verify', '@bob', '--no-color');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^((\d{5} ){3}\d{5}\r?\n){3}$/)]);
      expect(host.asked).toEqual(['Does bob see the same number?']);
      expect((await store.load())?.pins.get('bob')?.isVerified ?? false).toBe(verified);
    }
  });

  it('refuses an account without keys, and keys that have changed', async () => {
    const { run, shown, store, bob } = await world();
    shown.record = null;
    expect(await run('keys', 'verify', 'bob')).toMatchObject({ code: 9, stdout: '' });
    await store.update((file) => {
      if (!file) throw new Error('no keys');
      return { ...file, pins: new Map([['bob', pinOfRecord(bob.record, true)]]) };
    });
    shown.record = (await keysOf('bob')).record.text;
    expect(await run('keys', 'verify', 'bob', '--no-color')).toEqual({
      code: 9,
      stdout: '',
      stderr: 'chat: bob has other keys than the ones known here: chat trust bob shows what to compare\n',
    });
  });
});

describe('chat trust', () => {
  it('takes changed keys when a person says so, or with --yes, and verified they are no more', async () => {
    for (const [args, typed] of [
      [['--yes'], []],
      [[], ['yes']],
    ] as const) {
      const { run, store, bob, shown } = await world({ terminal: true, typed });
      await store.update((file) => {
        if (!file) throw new Error('no keys');
        return { ...file, pins: new Map([['bob', pinOfRecord(bob.record, true)]]) };
      });
      const next = await keysOf('bob');
      shown.record = next.record.text;
      expect(await run('trust', 'bob', ...args)).toMatchObject({ code: 0, stdout: '' });
      expect((await store.load())?.pins.get('bob')).toEqual(pinOfRecord(next.record));
    }
  });

  it('changes nothing when a person says no, or nobody can be asked', async () => {
    for (const outside of [{ terminal: true, typed: ['no'] }, {}]) {
      const { run, store, bob, shown } = await world(outside);
      await store.update((file) => {
        if (!file) throw new Error('no keys');
        return { ...file, pins: new Map([['bob', pinOfRecord(bob.record)]]) };
      });
      shown.record = (await keysOf('bob')).record.text;
      expect(await run('trust', 'bob')).toMatchObject({ code: 2, stdout: '' });
      expect((await store.load())?.pins.get('bob')).toEqual(pinOfRecord(bob.record));
    }
  });

  it('of keys that are known has nothing to do, and keeps that they were compared', async () => {
    const { run, store, bob } = await world();
    await store.update((file) => {
      if (!file) throw new Error('no keys');
      return { ...file, pins: new Map([['bob', pinOfRecord(bob.record, true)]]) };
    });
    expect(await run('trust', 'bob')).toMatchObject({
      code: 0,
      stderr: 'the keys of bob are the ones that are known here; nothing is to be done\n',
    });
    expect((await store.load())?.pins.get('bob')?.isVerified).toBe(true);
  });
});
