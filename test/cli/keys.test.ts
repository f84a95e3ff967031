import { describe, expect, it } from 'vitest';
import { openKeyStore } from '../../src/cli/key-store.ts';
import { parseServerAddress } from '../../src/client/address.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { pinOfRecord } from '../../src/client/keys/pin.ts';
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
          'chat: this machine has no keys of this account; chat login or chat keys restore brings them\n',
      });
    }
  });

  it.each([
    [['verify', 'bob', '--number', '12345'], '--number takes the 60 digits that the other one sees'],
    [['verify', 'alice'], 'these are your own keys: chat keys shows them'],
    [['rotate', '--yes'], '--yes goes with --new-identity'],
    [['rotate', '--new-identity'], '--new-identity needs --yes in a script'],
  ])('%j is refused before anything is done', async (args, why) => {
    const { run, store, alice } = await world({ env: { CHAT_PASSWORD: 'secret' } });
    const { code, stdout, stderr } = await run('keys', ...args, '--no-color');
    expect([code, stdout, stderr]).toEqual([2, '', `chat: ${why}\n`]);
    expect(await store.load()).toEqual(alice);
  });
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
      stderr: 'chat: bob has other keys than the ones known here: chat trust bob shows both\n',
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
