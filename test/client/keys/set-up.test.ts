import { describe, expect, it } from 'vitest';
import { rotateKeys } from '../../../src/client/keys/change-keys.ts';
import { newSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import { noRecord, signKeyRecord } from '../../../src/core/e2ee/key-record.ts';
import { ChatError } from '../../../src/core/errors.ts';
import type { OneTimeCode } from '../../../src/core/one-time-code.ts';
import { newOneTimeCode } from '../../../src/core/one-time-code.ts';
import { openChat, password, peer, refusal, register } from '../../core/support/chat.ts';
import { cheapStretch, type Device, device, keeper, memoryStore } from './support/keyed-client.ts';

async function open(...names: string[]) {
  const t = await openChat();
  await register(t, ...names);
  return t;
}

function recoveryKeyOf({ keys }: Device): OneTimeCode {
  if (keys.kind !== 'made') throw new Error(`keys were ${keys.kind}`);
  return keys.recoveryKey;
}

function fileOf({ keys }: Device) {
  if (keys.kind === 'locked') throw new Error('locked');
  return keys.file;
}

describe('the keys of an account', () => {
  it('are made at its first login, published, and kept sealed on the server', async () => {
    const t = await open('alice');
    const first = await device(t, 'alice');
    expect(first.keys.kind).toBe('made');
    const { record, ring, backupVersion } = fileOf(first);
    expect(record).toMatchObject({ user: 'alice', realm: 'chat.example', seq: 1, epoch: 1 });
    expect(backupVersion).toBe(1);
    expect(await first.connection.call('keys.get', { user: 'alice' })).toEqual({
      record: record.text,
      newest_seq: 1,
      backup_version: 1,
    });
    const { backup } = await first.connection.call('keys.restore', {});
    expect(JSON.stringify(backup)).not.toContain(
      ring.identity.toBase64({ alphabet: 'base64url', omitPadding: true }),
    );
  });

  it('are the same at the next login on that device', async () => {
    const t = await open('alice');
    const { store, ...first } = await device(t, 'alice');
    const again = await device(t, 'alice', { store });
    expect(again.keys).toEqual({ kind: 'kept', file: fileOf({ store, ...first }) });
  });

  it('follow to a new device with the password alone', async () => {
    const t = await open('alice');
    const first = await device(t, 'alice');
    const second = await device(t, 'alice');
    expect(second.keys.kind).toBe('restored');
    expect(fileOf(second)).toEqual(fileOf(first));
  });

  it('follow with the recovery key, where there is no password or another one', async () => {
    const t = await open('alice');
    const recoveryKey = recoveryKeyOf(await device(t, 'alice'));
    for (const password of [undefined, 'wrong horse battery staple']) {
      const askRecoveryKey = async () => recoveryKey;
      expect((await device(t, 'alice', { password, askRecoveryKey })).keys.kind).toBe('recovered');
      expect((await device(t, 'alice', { password })).keys).toEqual({ kind: 'locked' });
    }
  });

  it('do not come with a recovery key that is not theirs, and nothing is changed by it', async () => {
    const t = await open('alice');
    await device(t, 'alice');
    const other = device(t, 'alice', { password: undefined, askRecoveryKey: async () => newOneTimeCode() });
    expect(await refusal(other)).toEqual({
      code: 'invalid',
      message: 'this is not the recovery key of this account: nothing was restored',
    });
    expect((await device(t, 'alice')).keys.kind).toBe('restored');
  });

  it('are the account’s own when the answer to the first login was lost', async () => {
    const t = await open('alice');
    const cut = device(t, 'alice', {
      bend: (name, answer) => {
        if (name === 'keys.publish') throw new Error('cut off');
        return answer;
      },
    });
    await expect(cut).rejects.toThrow('cut off');
    const next = await device(t, 'alice');
    expect(next.keys.kind).toBe('restored');
    expect(await next.connection.call('keys.get', { user: 'alice' })).toMatchObject({ newest_seq: 1 });
  });

  it('are here at the next login when the key file could not be written after they were published', async () => {
    const t = await open('alice');
    const store = memoryStore();
    const shut = new ChatError('invalid', 'cannot make the lock (EACCES)');
    const { update } = store;
    store.update = async () => Promise.reject(shut);
    const recovery = keeper();
    const alone = { password: undefined, askRecoveryKey: undefined, store, recovery };
    expect(await refusal(device(t, 'alice', alone))).toMatchObject({ message: shut.message });
    expect(recovery.steps).toEqual(['kept']);
    store.update = update;
    const next = await device(t, 'alice', alone);
    expect(next.keys.kind).toBe('restored');
    expect(recovery.steps).toEqual(['kept']);
    expect((await next.send('alice', 'note to self')).envelope).toBeDefined();
  });

  it('of two devices that log in for the first time at once are the same on both', async () => {
    const t = await open('alice');
    const [one, two] = await Promise.all([device(t, 'alice'), device(t, 'alice')]);
    expect(fileOf(one)).toEqual(fileOf(two));
  });

  it('never come from a server that shows others in their place', async () => {
    const t = await open('alice', 'mallory');
    const { store } = await device(t, 'alice');
    const hers = fileOf(await device(t, 'mallory'));
    const untrusted = { code: 'untrusted' };
    const swapped = device(t, 'alice', {
      store,
      bend: (name, answer) => (name === 'keys.get' ? { record: hers.record.text, newest_seq: 1 } : answer),
    });
    expect(await refusal(swapped)).toMatchObject(untrusted);
    // Keys in the account's own name that are not those of its backup.
    const forged = signKeyRecord(
      { ...fileOf(await device(t, 'alice')).record, previous: noRecord() },
      newSecretKeys(),
    );
    const onNew = device(t, 'alice', {
      bend: (name, answer) => (name === 'keys.get' ? { ...answer, record: forged.text } : answer),
    });
    expect(await refusal(onNew)).toEqual({
      code: 'untrusted',
      message: 'the server shows keys of this account that are not those of its backup',
    });
    const { connection } = await device(t, 'mallory');
    const backup = await connection.call('keys.restore', {});
    const asNew = device(t, 'alice', { bend: (name, answer) => (name === 'keys.restore' ? backup : answer) });
    expect((await asNew).keys).toEqual({ kind: 'locked' });
  });

  it('do not go back to older ones of the account on a device that has seen newer', async () => {
    const t = await open('alice');
    const { store, connection, prove, ...first } = await device(t, 'alice');
    const { record } = fileOf({ store, connection, prove, ...first });
    const before = await connection.call('keys.restore', {});
    await rotateKeys(connection, { store, prove, password, stretch: cheapStretch });
    const setBack = device(t, 'alice', {
      store,
      bend: (name, answer) => {
        if (name === 'keys.restore') return before;
        return name === 'keys.get' ? { record: record.text, newest_seq: 1, backup_version: 1 } : answer;
      },
    });
    expect(await refusal(setBack)).toMatchObject({ code: 'untrusted' });
    expect((await store.load())?.record.seq).toBe(2);
  });

  it('of an open account are sealed with the recovery key alone: the server has seen its password', async () => {
    const t = await openChat();
    await t.call(peer(), 'account.register', { username: 'olga', password });
    const recoveryKey = recoveryKeyOf(await device(t, 'olga'));
    const { connection } = await device(t, 'olga');
    expect((await connection.call('keys.restore', {})).backup.password_wrap).toBeUndefined();
    expect((await device(t, 'olga')).keys).toEqual({ kind: 'locked' });
    const askRecoveryKey = async () => recoveryKey;
    expect((await device(t, 'olga', { askRecoveryKey })).keys.kind).toBe('recovered');
  });

  it('are not made anew over ones that are published: everybody would have to trust them again', async () => {
    const t = await open('alice');
    await device(t, 'alice');
    const { keys } = await device(t, 'alice', {
      bend: (name, answer, params) => {
        if (name === 'keys.restore') return { ...answer, backup: undefined };
        void params;
        return answer;
      },
    }).catch((error: { code?: string }) => ({ keys: error.code }));
    expect(keys).toBe('unavailable');
  });
});
