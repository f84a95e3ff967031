import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lookUp, trustRecord } from '../../../src/client/keys/acquaintance.ts';
import { renewIdentity, rotateKeys } from '../../../src/client/keys/change-keys.ts';
import { newSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import { sealMessage } from '../../../src/core/e2ee/envelope.ts';
import { noRecord, signKeyRecord } from '../../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { openChat, password, refusal, register } from '../../core/support/chat.ts';
import { type Bend, cheapStretch, type Device, device, keeper, realm } from './support/keyed-client.ts';

const start = 1_800_000_000_000;
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

const bobName = parseUsername('bob');
const changed =
  'bob has another identity key than the one known here: chat trust bob shows what to compare before it is trusted';

async function fileOf({ store }: Device) {
  const file = await store.load();
  if (!file) throw new Error('no keys');
  return file;
}

/** What another process of Alice's machine does: `chat trust bob`, or `chat keys verify bob`. */
async function trust({ connection, store }: Device, isVerified: boolean): Promise<void> {
  const own = await store.load();
  if (!own) throw new Error('no keys');
  await trustRecord(store, (await lookUp(connection, own, bobName)).record, isVerified);
}

async function renew({ connection, store, prove }: Device): Promise<void> {
  const owner = { realm, user: bobName };
  await renewIdentity(connection, owner, {
    store,
    prove,
    password,
    stretch: cheapStretch,
    recovery: keeper(),
  });
}

/** Bob has written to Alice in two epochs of one identity, and then begun another. */
async function world() {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  const [alice, bob] = [await device(t, 'alice'), await device(t, 'bob')];
  const old = [await bob.send('alice', 'in epoch one')];
  await rotateKeys(bob.connection, { ...bob, password, stretch: cheapStretch });
  old.push(await bob.send('alice', 'in epoch two'));
  const running = await alice.messages();
  for (const message of old)
    expect(await running.open({ ...message, to: '@bob' })).toMatchObject({ kind: 'text' });
  await renew(bob);
  const fresh = { ...(await bob.send('alice', 'under the next identity')), to: '@bob' };
  return { t, alice, bob, running, old: old.map((message) => ({ ...message, to: '@bob' })), fresh };
}

describe('changed keys that are trusted', () => {
  it('are so at once in a reader and a sender that run already', async () => {
    const { alice, running, fresh } = await world();
    expect(await running.open(fresh)).toEqual({ kind: 'failed', why: changed });
    expect(await refusal(running.seal(bobName, 'to whom?'))).toMatchObject({ message: changed });
    await trust(alice, false);
    expect(await running.open(fresh)).toMatchObject({ text: 'under the next identity', isVerified: false });
    expect(await running.seal(bobName, 'to you')).toMatchObject({ isVerified: false });
  });

  it('and compared are marked so in one that runs already, five seconds later at most', async () => {
    const { alice, running, fresh } = await world();
    await trust(alice, false);
    expect(await running.open(fresh)).toMatchObject({ isVerified: false });
    await trust(alice, true);
    vi.advanceTimersByTime(5_000);
    expect(await running.open(fresh)).toMatchObject({ isVerified: true });
    expect(await running.seal(bobName, 'to you')).toMatchObject({ isVerified: true });
  });
});

describe('messages of an identity that its account has replaced', () => {
  const replaced = { kind: 'locked', by: 'replaced' };

  it('are not shown any more, and are nobody’s fault: neither in what runs already nor on a new machine', async () => {
    const { t, alice, running, old } = await world();
    await trust(alice, false);
    vi.advanceTimersByTime(5_000);
    const afterwards = await alice.messages();
    const newMachine = await (await device(t, 'alice')).messages();
    for (const reader of [running, afterwards, newMachine]) {
      for (const message of old) expect(await reader.open(message)).toEqual(replaced);
    }
  });

  it('are such after a second change too', async () => {
    const { alice, bob, old, fresh } = await world();
    await renew(bob);
    await trust(alice, false);
    const reader = await alice.messages();
    for (const message of [...old, fresh]) expect(await reader.open(message)).toEqual(replaced);
  });

  it('fail as all others do when they do not hold', async () => {
    const { alice, old } = await world();
    await trust(alice, false);
    const [message] = old;
    if (!message) throw new Error('nothing was sent');
    const { envelope } = message;
    const end = envelope.endsWith('AAAA') ? 'BBBB' : 'AAAA';
    const spoiled = { ...message, envelope: `${envelope.slice(0, -4)}${end}` };
    expect((await (await alice.messages()).open(spoiled)).kind).toBe('failed');
  });

  it('are no cover for an identity that a server has made up', async () => {
    const { t, alice } = await world();
    await trust(alice, false);
    const theirs = newSecretKeys();
    const forged = signKeyRecord(
      { realm, user: bobName, seq: 1, previous: noRecord(), epoch: 1, at: start },
      theirs,
    );
    const bend: Bend = (name, answer, params) =>
      name === 'keys.get' && JSON.stringify(params) === '{"user":"bob","seq":1}'
        ? { record: forged.text, newest_seq: 3 }
        : answer;
    const own = await fileOf(alice);
    const message = { id: 'x', at: start };
    const envelope = await sealMessage('from bob?', message, { record: forged, secrets: theirs }, own.record);
    const shown = { to: '@bob', seq: 9, id: 'm9', sender: 'bob', sent_at: new Date(start).toISOString() };
    const { messages } = await device(t, 'alice', { store: alice.store, bend });
    expect(await (await messages()).open({ ...shown, envelope })).toEqual({
      kind: 'failed',
      why: 'the server shows an identity key of bob that was never the one known here',
    });
  });
});
