import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandContext } from '../../src/cli/command.ts';
import { openKeyStore } from '../../src/cli/key-store.ts';
import { openKnownServers } from '../../src/cli/known-servers.ts';
import { openPrivateReader } from '../../src/cli/private-reader.ts';
import { parseServerAddress } from '../../src/client/address.ts';
import type { Connection } from '../../src/client/connection.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { sealMessage } from '../../src/core/e2ee/envelope.ts';
import { currentKeys } from '../../src/core/e2ee/key-backup.ts';
import { ChatError } from '../../src/core/errors.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { uuidV7 } from '../../src/core/random.ts';
import { message, testPin } from './support/fake-client.ts';
import { fakeHost } from './support/fake-host.ts';

const server = parseServerAddress('127.0.0.1:8080');
const { realm } = testPin;
const noPassword = { password: undefined, stretch: async () => new Uint8Array(32) };

async function keysOf(name: string) {
  return (await makeKeys({ realm, user: parseUsername(name) }, undefined, noPassword)).file;
}

/** Alice's machine, what bob has sent her, and a server whose lookups a test lets fail. */
async function world({ hasKeys = true } = {}) {
  const [alice, bob] = [await keysOf('alice'), await keysOf('bob')];
  const lookups = { asked: 0, opened: 0, closed: 0, failures: 0 };
  const connection = {
    server,
    async call() {
      lookups.asked += 1;
      if (lookups.failures-- > 0) throw new ChatError('unavailable', 'the connection broke');
      return { record: bob.record.text, newest_seq: 1 };
    },
    async close() {
      lookups.closed += 1;
    },
  } as unknown as Connection;
  const host = await fakeHost({
    env: { CHAT_TOKEN: 'token' },
    client: {
      connect: async () => {
        lookups.opened += 1;
        return connection;
      },
      resume: async () => ({
        username: 'alice',
        user_id: 'id',
        session_id: 's',
        expires_at: '2026-11-22T06:00:00.000Z',
        device_id: 'd',
      }),
    },
  });
  await openKnownServers(host).update(server, (known) => ({ ...known, logins: { alice: testPin } }));
  const store = openKeyStore(host, { server, realm, username: 'alice' });
  if (hasKeys) await store.update(() => alice);
  const stop = new AbortController();
  const context = {
    host,
    settings: { server },
    signal: stop.signal,
    output: { detail: async () => {} },
  } as unknown as CommandContext;
  const sealed = async (seq: number, text: string) => {
    const at = { id: uuidV7(), at: Date.parse(message(seq).sent_at) };
    const from = { record: bob.record, secrets: currentKeys(bob.ring) };
    const { text: _text, ...rest } = message(seq, { to: '@bob', sender: 'bob' });
    return { ...rest, envelope: await sealMessage(text, at, from, alice.record) };
  };
  return { lookups, sealed, store, alice, stop, reader: openPrivateReader(context, () => 'alice') };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('a reader of private messages', () => {
  it('opens what was sealed for the account, asking for its sender’s keys once, on a connection of its own', async () => {
    const { reader, sealed, lookups } = await world();
    for (const seq of [1, 2]) {
      const given = await sealed(seq, `text ${seq}`);
      const { envelope: _envelope, ...rest } = given;
      expect(await reader.open(given)).toEqual({
        ...rest,
        text: `text ${seq}`,
        unsealed: { kind: 'encrypted' },
      });
    }
    // The record that the envelopes name, and the newest, by which bob is known from now on.
    expect(lookups).toMatchObject({ opened: 1, asked: 2, closed: 0 });
    await reader.close();
    expect([lookups.closed, reader.failed]).toEqual([1, 0]);
  });

  it('leaves alone what is clear or in a room, and connects for neither', async () => {
    const { reader, lookups } = await world();
    const { text: _text, ...bare } = message(2);
    const given = [message(1, { to: '@bob' }), { ...bare, envelope: 'AAAA' }];
    for (const one of given) expect(await reader.open(one)).toBe(one);
    expect([lookups.opened, reader.failed]).toEqual([0, 0]);
  });

  it('counts what did not hold, and answers no text of it', async () => {
    const { reader, sealed } = await world();
    const given = await sealed(1, 'secret');
    const opened = await reader.open({ ...given, sender: 'alice' });
    expect([opened.text, opened.unsealed?.kind, reader.failed]).toEqual([undefined, 'failed', 1]);
  });

  it('says that there are no keys here, and finds those that come meanwhile', async () => {
    const { reader, sealed, store, alice } = await world({ hasKeys: false });
    const given = await sealed(1, 'for later');
    expect((await reader.open(given)).unsealed).toEqual({
      kind: 'locked',
      why: 'this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE)',
    });
    await store.update(() => alice);
    expect((await reader.open(given)).text).toBe('for later');
  });

  it('asks again on a new connection when a lookup fails on its way, three times in all', async () => {
    for (const [failures, outcome] of [
      [2, 'opened'],
      [3, 'unavailable'],
    ] as const) {
      const { reader, sealed, lookups } = await world();
      lookups.failures = failures;
      const opening = reader.open(await sealed(1, 'opened')).then(
        ({ text }) => text,
        (error: ChatError) => error.code,
      );
      let isOver = false;
      void opening.then(() => {
        isOver = true;
      });
      // Files and keys take turns of their own.
      while (!isOver) {
        await vi.advanceTimersByTimeAsync(1_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await opening).toBe(outcome);
      expect(lookups.opened).toBe(3);
    }
  });

  it('ends a lookup when it is to end', async () => {
    const { reader, sealed, lookups, stop } = await world();
    lookups.failures = 1;
    const given = await sealed(1, 'x');
    stop.abort();
    await expect(reader.open(given)).rejects.toMatchObject({ code: 'unavailable' });
    expect(lookups.opened).toBe(1);
  });
});
