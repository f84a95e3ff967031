import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../src/cli/command.ts';
import { openKeyStore } from '../../src/cli/key-store.ts';
import { openKnownServers } from '../../src/cli/known-servers.ts';
import { type ClearRule, createSealer } from '../../src/cli/sealer.ts';
import { parseServerAddress } from '../../src/client/address.ts';
import type { Connection } from '../../src/client/connection.ts';
import { makeKeys } from '../../src/client/keys/make-keys.ts';
import { readEnvelope } from '../../src/core/e2ee/envelope.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { refusal } from '../core/support/chat.ts';
import { testPin } from './support/fake-client.ts';
import { fakeHost } from './support/fake-host.ts';

const server = parseServerAddress('127.0.0.1:8080');
const { realm } = testPin;
const noPassword = { password: undefined, stretch: async () => new Uint8Array(32) };

async function keysOf(name: string) {
  return (await makeKeys({ realm, user: parseUsername(name) }, undefined, noPassword)).file;
}

/** A machine with the keys of alice, unless it has none, and a server that shows these records. */
async function world(records: Record<string, string | null>, hasKeys = true) {
  const host = await fakeHost();
  await openKnownServers(host).update(server, (known) => ({ ...known, logins: { alice: testPin } }));
  if (hasKeys) await openKeyStore(host, { server, realm, username: 'alice' }).update(() => keysOf('alice'));
  const asked: string[] = [];
  const connection = {
    server,
    async call(_name: string, { user }: { user: string }) {
      asked.push(user);
      return { record: records[user] ?? null, newest_seq: records[user] ? 1 : 0 };
    },
  } as unknown as Connection;
  const context = { host, settings: { server } } as unknown as CommandContext;
  const sealer = (clear: ClearRule) => {
    const made = createSealer(context, clear);
    made.use({ connection, username: 'alice' });
    return made;
  };
  return { sealer, connection, asked };
}

describe('a private text', () => {
  it('is sealed for its recipient, whose keys a stream of texts asks for once', async () => {
    const { record } = await keysOf('bob');
    const { sealer, connection, asked } = await world({ bob: record.text });
    const seal = sealer('refused').sealTo('@bob');
    for (const text of ['one', 'two']) {
      const body = await seal?.(connection, text);
      const envelope = body && 'envelope' in body ? readEnvelope(body.envelope) : undefined;
      expect(envelope?.context).toMatchObject({ sender: 'alice', recipient: 'bob' });
      expect(JSON.stringify(body)).not.toContain(`"${text}"`);
    }
    expect(asked).toEqual(['bob']);
  });

  it('goes in clear only when that was said, and only where nobody could encrypt it', async () => {
    const bob = (await keysOf('bob')).record.text;
    const noRecipient =
      'bob has no keys to encrypt for: they come with a login by chat; chat send --allow-clear sends it so that the server can read it';
    const noOwn =
      'this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE); chat send --allow-clear sends it so that the server can read it';
    for (const [records, hasKeys, message] of [
      [{}, true, noRecipient],
      [{ bob }, false, noOwn],
    ] as const) {
      const { sealer, connection } = await world(records, hasKeys);
      expect(await refusal(sealer('refused').seal(connection, '@bob', 'hi'))).toEqual({
        code: 'untrusted',
        message,
      });
      expect(await sealer('allowed').seal(connection, '@bob', 'hi')).toEqual({
        body: { text: 'hi' },
        protection: undefined,
      });
    }
    const { sealer, connection } = await world({ bob });
    expect(await sealer('allowed').seal(connection, '@bob', 'hi')).toMatchObject({ protection: 'encrypted' });
  });

  it('of the outbox is to be taken out of it before it goes in clear, so that it does not go twice', async () => {
    const { sealer, connection } = await world({});
    expect(await refusal(sealer('refused-in-outbox').seal(connection, '@bob', 'hi'))).toMatchObject({
      message: expect.stringContaining('chat outbox rm ID drops it, and then chat send --allow-clear'),
    });
  });

  it('never goes in clear to somebody whose keys have gone or changed', async () => {
    const records: Record<string, string | null> = { bob: (await keysOf('bob')).record.text };
    const { sealer, connection } = await world(records);
    await sealer('refused').seal(connection, '@bob', 'known now');
    for (const shown of [null, (await keysOf('bob')).record.text]) {
      records.bob = shown;
      expect(await refusal(sealer('allowed').seal(connection, '@bob', 'hi'))).toMatchObject({
        code: 'untrusted',
      });
    }
  });
});

describe('a text for a room', () => {
  it('goes as it is, and nobody is asked for keys', async () => {
    const { sealer, connection, asked } = await world({}, false);
    expect(sealer('refused').sealTo('#lobby')).toBeUndefined();
    expect(await sealer('refused').seal(connection, '#lobby', 'hi')).toMatchObject({ body: { text: 'hi' } });
    expect(asked).toEqual([]);
  });
});
