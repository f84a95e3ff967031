import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rotateKeys } from '../../../src/client/keys/change-keys.ts';
import { pinOfRecord } from '../../../src/client/keys/pin.ts';
import { createPrivateMessages } from '../../../src/client/keys/private-messages.ts';
import { newSecretKeys, nextSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import { readEnvelope, sealMessage } from '../../../src/core/e2ee/envelope.ts';
import { currentKeys } from '../../../src/core/e2ee/key-backup.ts';
import { type SignedKeyRecord, signKeyRecord } from '../../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { smallOrderKeys, withEncryptionKey } from '../../core/e2ee/support/accounts.ts';
import { openChat, password, refusal, register, type TestChat } from '../../core/support/chat.ts';
import { type Bend, cheapStretch, type Device, device, realm } from './support/keyed-client.ts';

const start = 1_800_000_000_000;
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

interface People {
  readonly t: TestChat;
  readonly alice: Device;
  readonly bob: Device;
}

async function people(): Promise<People> {
  const t = await openChat();
  await register(t, 'alice', 'bob', 'mallory');
  return { t, alice: await device(t, 'alice'), bob: await device(t, 'bob') };
}

async function fileOf({ store }: Device) {
  const file = await store.load();
  if (!file) throw new Error('no keys');
  return file;
}

/** Begins the next epoch of a device's account. */
async function rotate({ connection, store, prove }: Device): Promise<SignedKeyRecord> {
  return (await rotateKeys(connection, { store, prove, password, stretch: cheapStretch })).record;
}

describe('a private message', () => {
  it('is read by its recipient and its sender, and by nobody who has the database', async () => {
    const { t, alice, bob } = await people();
    const sent = await alice.send('bob', 'marker of a secret');
    expect(await (await alice.messages()).open(sent)).toEqual({
      kind: 'text',
      text: 'marker of a secret',
      isVerified: false,
      isStale: false,
    });
    const received = await bob.last('alice');
    expect(await (await bob.messages()).open(received)).toMatchObject({ text: 'marker of a secret' });
    const stored = JSON.stringify(await bob.connection.call('message.history', { to: '@alice' }));
    expect(stored).not.toContain('marker');
    expect(stored).not.toContain(btoa('marker').slice(0, 6));
    expect(t.failures).toEqual([]);
  });

  it('to oneself is read on every device', async () => {
    const { t, alice } = await people();
    const sent = await alice.send('alice', 'note to self');
    const second = await device(t, 'alice');
    expect(await (await second.messages()).open(sent)).toMatchObject({ text: 'note to self' });
  });

  it('of before is read on a new device with the password alone', async () => {
    const { t, alice } = await people();
    await alice.send('bob', 'from before');
    const second = await device(t, 'bob');
    expect(await (await second.messages()).open(await second.last('alice'))).toMatchObject({
      text: 'from before',
    });
  });

  it('is sealed for the recipient’s newest keys, and old ones stay readable after either has rotated', async () => {
    const { t, alice, bob } = await people();
    const old = await alice.send('bob', 'in the first epoch');
    const next = await rotate(bob);
    await rotate(alice);
    const fresh = await alice.send('bob', 'in the second epoch');
    const reader = await bob.messages();
    expect(await reader.open({ ...old, to: '@alice' })).toMatchObject({ text: 'in the first epoch' });
    expect(await reader.open({ ...fresh, to: '@alice' })).toMatchObject({ text: 'in the second epoch' });
    expect((await fileOf(alice)).pins.get('bob')).toEqual(pinOfRecord(next));
    expect(t.failures).toEqual([]);
  });

  it('is not sealed for a recipient without keys, and not for a name that nobody has', async () => {
    const { alice } = await people();
    const messages = await alice.messages();
    expect(await messages.seal(parseUsername('mallory'), 'x')).toBeUndefined();
    expect(await refusal(messages.seal(parseUsername('nobody'), 'x'))).toEqual({
      code: 'not-found',
      message: 'there is no user @nobody',
      field: 'user',
    });
  });

  it('for newer keys than a device has waits for them there', async () => {
    const { t, alice, bob } = await people();
    const second = await device(t, 'bob');
    await rotate(bob);
    const sent = { ...(await alice.send('bob', 'for the new keys')), to: '@alice' };
    expect(await (await second.messages()).open(sent)).toEqual({ kind: 'locked', by: 'newer' });
    const after = await device(t, 'bob', { store: second.store });
    expect(after.keys.kind).toBe('restored');
    expect(await (await after.messages()).open(sent)).toMatchObject({ text: 'for the new keys' });
  });

  it('sealed for keys from before a rotation, well after it, says so to its reader', async () => {
    const { alice, bob } = await people();
    const before = (await fileOf(bob)).record;
    vi.advanceTimersByTime(1_000);
    const early = { ...(await alice.send('bob', 'before')), to: '@alice' };
    vi.advanceTimersByTime(1_000);
    await rotate(bob);
    const { record, ring } = await fileOf(alice);
    // A server that keeps the new record back, or a sender that never asks.
    const old = async (afterMs: number) => {
      const at = start + 2_000 + afterMs;
      const message = { id: `id ${afterMs}`, at };
      return {
        ...early,
        id: `m ${afterMs}`,
        sent_at: new Date(at).toISOString(),
        envelope: await sealMessage('late', message, { record, secrets: currentKeys(ring) }, before),
      };
    };
    const reader = await bob.messages();
    const allowedMs = 10 * 60_000 + 5_000;
    expect(await reader.open(early)).toMatchObject({ text: 'before', isStale: false });
    expect(await reader.open(await old(allowedMs))).toMatchObject({ text: 'late', isStale: false });
    expect(await reader.open(await old(allowedMs + 1))).toMatchObject({ text: 'late', isStale: true });
    vi.advanceTimersByTime(allowedMs + 1);
    const now = { ...(await alice.send('bob', 'for the new keys')), to: '@alice' };
    expect(await reader.open(now)).toMatchObject({ isStale: false });
    // Of what one has sent oneself it is no news, whatever has been rotated since.
    await rotate(alice);
    const own = await alice.messages();
    expect(await own.open({ ...now, to: '@bob' })).toMatchObject({ isStale: false });
  });

  it('that nothing can be sealed for is not sent, and says whose keys are the matter', async () => {
    const { alice, bob } = await people();
    const { record } = await fileOf(bob);
    const weak = { ...record, keys: { ...record.keys, encryption: new Uint8Array(32) } };
    const known = {
      newest: async () => weak,
      ofNumber: async () => ({ record: weak, isReplaced: false }),
      isVerified: async () => false,
    };
    const messages = createPrivateMessages(await fileOf(alice), known);
    expect(await refusal(messages.seal(parseUsername('bob'), 'x'))).toEqual({
      code: 'untrusted',
      message: 'nothing can be encrypted for the keys that bob has published',
    });
  });

  it('says when its keys were compared', async () => {
    const { alice, bob } = await people();
    const sent = await alice.send('bob', 'x');
    await alice.store.update((file) => {
      if (!file) throw new Error('no keys');
      const pin = file.pins.get('bob');
      if (!pin) throw new Error('bob is not known');
      return { ...file, pins: new Map(file.pins).set('bob', { ...pin, isVerified: true }) };
    });
    expect(await (await alice.messages()).open(sent)).toMatchObject({ isVerified: true });
    await rotate(bob);
    const again = await alice.send('bob', 'y');
    expect(await (await alice.messages()).open(again)).toMatchObject({ isVerified: true });
  });
});

describe('a malicious server', () => {
  /** What `reader` makes of the last message of the conversation when the server shows it so. */
  async function openBent(reader: Device, peer: string, bent: object) {
    return await (await reader.messages()).open({ ...(await reader.last(peer)), ...bent });
  }
  const failed = (why: string) => ({ kind: 'failed', why });

  it('cannot change a message', async () => {
    const { alice, bob } = await people();
    const { envelope } = await alice.send('bob', 'pay 10 to carol');
    for (let place = 5; place < envelope.length; place += 7) {
      const other = envelope[place] === 'A' ? 'B' : 'A';
      const changed = `${envelope.slice(0, place)}${other}${envelope.slice(place + 1)}`;
      expect((await openBent(bob, 'alice', { envelope: changed })).kind).toBe('failed');
    }
    expect(await openBent(bob, 'alice', { envelope: 'AAAA' })).toEqual(
      failed('it is no envelope that this client knows'),
    );
  });

  it('cannot say that another has sent it, or show it in another conversation', async () => {
    const { t, alice, bob } = await people();
    const carol = await device(t, 'mallory');
    await carol.send('bob', 'from mallory');
    await alice.send('bob', 'from alice');
    const { envelope } = await bob.last('mallory');
    const why = failed('it was written for another conversation, or by another account');
    expect(await openBent(bob, 'alice', { envelope })).toEqual(why);
    expect(await openBent(bob, 'alice', { sender: 'mallory' })).toEqual(why);
    expect(await openBent(bob, 'alice', { sender: 'bob' })).toEqual(why);
    expect(await openBent(bob, 'alice', { to: '#lobby' })).toEqual(why);
    expect(await openBent(bob, 'alice', { to: '@mallory' })).toEqual(why);
  });

  it('cannot show one message twice, nor an old one as new', async () => {
    const { alice, bob } = await people();
    const sent = await alice.send('bob', 'once');
    const shown = { ...sent, to: '@alice' };
    const reader = await bob.messages();
    const replay = failed('it was seen before, or its time is not that of the message: a replay');
    expect(await reader.open(shown)).toMatchObject({ kind: 'text' });
    expect(await reader.open(shown)).toMatchObject({ kind: 'text' });
    expect(await reader.open({ ...shown, id: 'another', seq: 2 })).toEqual(replay);
    const day = 24 * 3_600_000;
    const at = (ms: number) => ({
      ...shown,
      sent_at: new Date(Date.parse(shown.sent_at) + ms).toISOString(),
    });
    const late = await bob.messages();
    expect(await late.open(at(day + 1))).toEqual(replay);
    expect(await late.open(at(day))).toMatchObject({ kind: 'text' });
  });

  it('a peer cannot make one’s own message a replay by taking its id', async () => {
    const { alice, bob } = await people();
    const own = await alice.send('bob', 'mine');
    const { context } = readEnvelope(own.envelope) ?? {};
    if (!context) throw new Error('no envelope');
    const { record, ring } = await fileOf(bob);
    const taken = await sealMessage(
      'theirs',
      context,
      { record, secrets: currentKeys(ring) },
      (await fileOf(alice)).record,
    );
    const reader = await alice.messages();
    const theirs = { ...own, id: 'theirs', sender: 'bob', envelope: taken };
    expect(await reader.open(theirs)).toMatchObject({ text: 'theirs' });
    expect(await reader.open(own)).toMatchObject({ text: 'mine' });
  });

  it('cannot put its own keys in a recipient’s place: sending stops until a person trusts them', async () => {
    const { t, alice, bob } = await people();
    await alice.send('bob', 'known now');
    const theirs = newSecretKeys();
    const { record } = await fileOf(bob);
    const forged = signKeyRecord({ ...record, seq: 2, previous: record.digest, epoch: 2 }, theirs);
    const bend: Bend = (name, answer, params) =>
      name === 'keys.get' && (params as { user: string }).user === 'bob'
        ? { record: forged.text, newest_seq: 2 }
        : answer;
    const { messages } = await device(t, 'alice', { store: alice.store, bend });
    expect(await refusal((await messages()).seal(parseUsername('bob'), 'stop'))).toEqual({
      code: 'untrusted',
      message:
        'bob has another identity key than the one known here: chat trust bob shows what to compare before it is trusted',
    });
    // Nor is a message under such keys taken for the account's.
    const sealed = await sealMessage(
      'from bob?',
      { id: 'x', at: start },
      { record: forged, secrets: theirs },
      (await fileOf(alice)).record,
    );
    const shown = {
      to: '@bob',
      seq: 9,
      id: 'm9',
      sender: 'bob',
      sent_at: new Date(start).toISOString(),
      envelope: sealed,
    };
    expect(await (await messages()).open(shown)).toEqual(
      failed(
        'bob has another identity key than the one known here: chat trust bob shows what to compare before it is trusted',
      ),
    );
  });

  it('cannot take a recipient’s keys away, so that a message would go in clear', async () => {
    const { t, alice } = await people();
    await alice.send('bob', 'known now');
    const bend: Bend = (name, answer, params) =>
      name === 'keys.get' && (params as { user: string }).user === 'bob'
        ? { record: null, newest_seq: 0 }
        : answer;
    const { messages } = await device(t, 'alice', { store: alice.store, bend });
    expect(await refusal((await messages()).seal(parseUsername('bob'), 'x'))).toEqual({
      code: 'untrusted',
      message: 'the server shows no keys of bob any more, who had some',
    });
    expect(await (await messages()).open({ ...(await alice.last('bob')), sender: 'bob' })).toMatchObject({
      kind: 'failed',
    });
  });

  it('cannot go back to older keys, or show two records under one number', async () => {
    const { t, alice, bob } = await people();
    const { record: first, ring } = await fileOf(bob);
    await rotate(bob);
    await alice.send('bob', 'second epoch');
    const seal = async (record: SignedKeyRecord) => {
      const bend: Bend = (name, answer, params) =>
        name === 'keys.get' && (params as { user: string }).user === 'bob'
          ? { record: record.text, newest_seq: record.seq }
          : answer;
      const { messages } = await device(t, 'alice', { store: alice.store, bend });
      return (await refusal((await messages()).seal(parseUsername('bob'), 'x'))).message;
    };
    expect(await seal(first)).toBe('the server shows older keys of bob than it has shown before');
    const fork = signKeyRecord(
      { realm, user: first.user, seq: 2, previous: first.digest, epoch: 2, at: 1 },
      nextSecretKeys(currentKeys(ring)),
    );
    expect(await seal(fork)).toBe(
      'the server shows other keys of bob than it has shown before under the same number',
    );
  });

  it('cannot have keys of another account, number or server believed, nor such that nothing can be sealed to', async () => {
    const { t, alice, bob } = await people();
    const { record } = await fileOf(bob);
    const mallory = await fileOf(await device(t, 'mallory'));
    const elsewhere = signKeyRecord({ ...record, realm: 'other.example' }, newSecretKeys());
    for (const shown of [mallory.record, elsewhere]) {
      const bend: Bend = (name, answer, params) =>
        name === 'keys.get' && (params as { user: string }).user === 'bob'
          ? { record: shown.text, newest_seq: 1 }
          : answer;
      const { messages } = await device(t, 'alice', { store: alice.store, bend });
      expect(await refusal((await messages()).seal(parseUsername('bob'), 'x'))).toMatchObject({
        code: 'untrusted',
      });
    }
    const { ring } = await fileOf(bob);
    const weak = smallOrderKeys.map((key) => withEncryptionKey(record, currentKeys(ring), key));
    for (const text of ['!', ...weak]) {
      const bend: Bend = (name, answer, params) =>
        name === 'keys.get' && (params as { user: string }).user === 'bob'
          ? { record: text, newest_seq: 1 }
          : answer;
      const { messages } = await device(t, 'alice', { store: alice.store, bend });
      expect(await refusal((await messages()).seal(parseUsername('bob'), 'x'))).toMatchObject({
        code: 'unavailable',
      });
    }
  });
});
