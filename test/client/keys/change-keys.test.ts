import { describe, expect, it } from 'vitest';
import { changePassword } from '../../../src/client/change-password.ts';
import {
  adoptChange,
  renewIdentity,
  rotateKeys,
  sealAnew,
  sealForChange,
} from '../../../src/client/keys/change-keys.ts';
import { makeKeys } from '../../../src/client/keys/make-keys.ts';
import type { RecoveryKeeper } from '../../../src/client/keys/recovery-keeper.ts';
import { openKeyRing, unwrapByPassword, unwrapByRecoveryKey } from '../../../src/core/e2ee/key-backup.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { OneTimeCode } from '../../../src/core/one-time-code.ts';
import {
  challenged,
  loggedIn,
  openChat,
  password,
  refusal,
  register,
  type TestChat,
  wholeSecret,
} from '../../core/support/chat.ts';
import { cheapStretch, connectionTo, type Device, device, keeper, realm } from './support/keyed-client.ts';

async function open() {
  const t = await openChat();
  await register(t, 'alice', 'bob');
  return { t, alice: await device(t, 'alice'), bob: await device(t, 'bob') };
}

const byPassword = { password, stretch: cheapStretch };
const options = ({ store, prove }: Device) => ({ store, prove, ...byPassword });

const never = async () => Promise.reject(new Error('never'));
const nothing = async () => undefined;
const none = {
  load: nothing,
  update: never,
  checkWritable: never,
  loadPending: nothing,
  keepPending: never,
};

async function fileOf({ store }: Device) {
  const file = await store.load();
  if (!file) throw new Error('no keys');
  return file;
}

describe('rotated keys', () => {
  it('are another epoch of the same identity, on the server, in the backup and here', async () => {
    const { t, alice } = await open();
    const before = await fileOf(alice);
    const after = await rotateKeys(alice.connection, options(alice));
    expect(after.record).toMatchObject({ seq: 2, epoch: 2 });
    expect(after.record.keys.identity).toEqual(before.record.keys.identity);
    expect(after.record.keys.encryption).not.toEqual(before.record.keys.encryption);
    expect(after.ring.encryption.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(await fileOf(alice)).toEqual(after);
    expect(await fileOf(await device(t, 'alice'))).toEqual(after);
    expect((await device(t, 'alice', { store: alice.store })).keys).toEqual({ kind: 'kept', file: after });
  });

  it('are refused on a device that does not have the newest, or has none, and nothing changes', async () => {
    const { t, alice } = await open();
    const second = await device(t, 'alice');
    await rotateKeys(alice.connection, options(alice));
    const message =
      "this account's keys, or what opens them, have changed on another device: log in again (chat login), then try once more";
    expect(await refusal(rotateKeys(second.connection, options(second)))).toEqual({
      code: 'conflict',
      message,
    });
    const again = await device(t, 'alice', { store: second.store });
    expect((await rotateKeys(again.connection, options(again))).record.seq).toBe(3);
    expect(await refusal(rotateKeys(alice.connection, { ...options(alice), store: none }))).toMatchObject({
      code: 'not-found',
    });
  });

  it('take a proof of the password, and without one stay what they were', async () => {
    const { t, alice } = await open();
    const before = await fileOf(alice);
    const prove = async () => {
      const { exchange, message } = await alice.prove();
      return { exchange, message: message.replace(/(?<=p=)./, (first) => (first === 'A' ? 'B' : 'A')) };
    };
    const wrong = rotateKeys(alice.connection, { ...options(alice), prove });
    expect(await refusal(wrong)).toMatchObject({ code: 'unauthenticated' });
    expect(await fileOf(alice)).toEqual(before);
    expect((await device(t, 'alice', { store: alice.store })).keys.kind).toBe('kept');
  });
});

describe('a backup that is wrapped anew', () => {
  it('opens with the new recovery key, and with the one before no more', async () => {
    const { t, alice } = await open();
    if (alice.keys.kind !== 'made') throw new Error('not made');
    const old = alice.keys.recoveryKey;
    const recovery = keeper();
    await sealAnew(alice.connection, { ...options(alice), ...byPassword, recovery });
    expect(recovery.steps).toEqual(['kept beside the password']);
    const restored = async (key: OneTimeCode | undefined) =>
      (await device(t, 'alice', { password: undefined, askRecoveryKey: async () => key })).keys.kind;
    expect(await restored(recovery.keys[0])).toBe('recovered');
    expect(await refusal(restored(old))).toMatchObject({ code: 'invalid' });
    expect((await device(t, 'alice')).keys.kind).toBe('restored');
    expect((await device(t, 'alice', { store: alice.store })).keys.kind).toBe('kept');
  });

  it('keeps its recovery key where only the password has changed', async () => {
    const { t, alice } = await open();
    if (alice.keys.kind !== 'made') throw new Error('not made');
    const { recoveryKey } = alice.keys;
    const wrapped = {
      ...options(alice),
      password: 'another password',
      stretch: cheapStretch,
      recovery: undefined,
    };
    await sealAnew(alice.connection, wrapped);
    const kind = async (parts: Parameters<typeof device>[2]) => (await device(t, 'alice', parts)).keys.kind;
    expect(await kind({ password: 'another password' })).toBe('restored');
    expect(await kind({ password })).toBe('locked');
    expect(await kind({ password, askRecoveryKey: async () => recoveryKey })).toBe('recovered');
    expect(await kind({ password, askRecoveryKey: async () => undefined })).toBe('locked');
  });

  it('is ready before the password changes, and there is none without keys', async () => {
    const { t, alice } = await open();
    const { store } = alice;
    const wrap = await sealForChange(alice.connection, {
      store,
      password: 'x'.repeat(8),
      stretch: cheapStretch,
    });
    expect(wrap).toMatchObject({ version: 1 });
    expect(
      await sealForChange(alice.connection, { store: none, password, stretch: cheapStretch }),
    ).toBeUndefined();
    expect((await device(t, 'alice')).keys.kind).toBe('restored');
  });
});

describe('what opened the backup before', () => {
  const owner = { realm, user: parseUsername('alice') };
  const { user } = owner;

  /** What somebody has kept who had it once: a lost machine's key file, and the wraps that a server has not let go. */
  async function kept({ alice }: { alice: Device }) {
    if (alice.keys.kind !== 'made') throw new Error('not made');
    const { backup } = await alice.connection.call('keys.restore', {});
    return { ...(await fileOf(alice)), ...backup, recoveryKey: alice.keys.recoveryKey };
  }

  /** Which of these open the backup as it is now. */
  async function openers({ alice }: { alice: Device }, before: Awaited<ReturnType<typeof kept>>) {
    const { backup: now } = await alice.connection.call('keys.restore', {});
    const byPasswordThen = await unwrapByPassword(before.password_wrap ?? '', password, owner, cheapStretch);
    const byRecoveryThen = await unwrapByRecoveryKey(before.recovery_wrap, before.recoveryKey, owner);
    const byRecoveryNow = await unwrapByRecoveryKey(now.recovery_wrap, before.recoveryKey, owner);
    const byPasswordNow = await unwrapByPassword(now.password_wrap ?? '', password, owner, cheapStretch);
    const keys = { file: before.backupKey, byPasswordThen, byRecoveryThen, byRecoveryNow, byPasswordNow };
    const opening: string[] = [];
    for (const [name, key] of Object.entries(keys))
      if (key && (await openKeyRing(now.contents, key, owner))) opening.push(name);
    return opening;
  }

  it('opens the one that is there until something changes', async () => {
    const at = await open();
    expect(await openers(at, await kept(at))).toEqual([
      'file',
      'byPasswordThen',
      'byRecoveryThen',
      'byRecoveryNow',
      'byPasswordNow',
    ]);
  });

  it('opens nothing after a rotation but by the password and the recovery key that still count', async () => {
    const at = await open();
    const before = await kept(at);
    await rotateKeys(at.alice.connection, options(at.alice));
    expect(await openers(at, before)).toEqual(['byRecoveryNow', 'byPasswordNow']);
  });

  it('opens nothing after a new recovery key but by the password that still counts', async () => {
    const at = await open();
    const before = await kept(at);
    await sealAnew(at.alice.connection, { ...options(at.alice), recovery: keeper() });
    expect(await openers(at, before)).toEqual(['byPasswordNow']);
  });

  it('opens nothing after another identity', async () => {
    const at = await open();
    const before = await kept(at);
    const other = { password: 'another one', stretch: cheapStretch, recovery: keeper() };
    await renewIdentity(at.alice.connection, owner, { ...options(at.alice), ...other });
    expect(await openers(at, before)).toEqual([]);
  });

  it.each(['private', 'open'] as const)(
    'opens nothing after a password that makes it %s but by the recovery key',
    async (privacy) => {
      const at = await open();
      const before = await kept(at);
      const { connection, store, prove } = at.alice;
      const next = 'a password for later';
      await changePassword(connection, {
        username: user,
        newPassword: next,
        privacy,
        prove,
        sealKeys: () =>
          sealForChange(connection, {
            store,
            password: privacy === 'open' ? undefined : next,
            stretch: cheapStretch,
          }),
      });
      expect(await adoptChange(store)).toBe(true);
      expect(await openers(at, before)).toEqual(['byRecoveryNow']);
      // This device goes on, and can seal the next one.
      expect(
        (
          await device(at.t, 'alice', {
            store,
            peer: await loggedIn(at.t, 'alice', { password: next, makes: wholeSecret }),
            password: next,
          })
        ).keys.kind,
      ).toBe('kept');
    },
  );
});

describe('a new recovery key', () => {
  const full = new ChatError('invalid', 'cannot write the output (ENOSPC)');
  const changes = {
    sealAnew: (of: Device, recovery: RecoveryKeeper) =>
      sealAnew(of.connection, { ...options(of), ...byPassword, recovery }),
    renewIdentity: (of: Device, recovery: RecoveryKeeper) =>
      renewIdentity(
        of.connection,
        { realm, user: parseUsername('alice') },
        { ...options(of), ...byPassword, recovery },
      ),
  } as const;
  const opens = async (t: TestChat, key: OneTimeCode | undefined) =>
    (await device(t, 'alice', { password: undefined, askRecoveryKey: async () => key })).keys.kind;

  it.each(['sealAnew', 'renewIdentity'] as const)(
    'of %s that cannot be kept, or nowhere to keep the keys, changes nothing: the one before still opens',
    async (change) => {
      const { t, alice } = await open();
      if (alice.keys.kind !== 'made') throw new Error('not made');
      const before = await fileOf(alice);
      const recovery = { ...keeper(), keep: async () => Promise.reject(full) };
      expect(await refusal(changes[change](alice, recovery))).toMatchObject({ message: full.message });
      const shut = { ...alice, store: { ...alice.store, checkWritable: async () => Promise.reject(full) } };
      const kept = keeper();
      expect(await refusal(changes[change](shut, kept))).toMatchObject({ message: full.message });
      expect(kept.steps).toEqual([]);
      expect(await opens(t, alice.keys.recoveryKey)).toBe('recovered');
      expect(await fileOf(alice)).toEqual(before);
    },
  );

  it.each(['sealAnew', 'renewIdentity'] as const)(
    'of %s is dropped when the server refuses it, and kept when its answer was lost',
    async (change) => {
      const { t, alice } = await open();
      const refused = keeper();
      const wrong = async () => ({ exchange: 'no such exchange', message: 'c=,r=,p=' });
      await expect(changes[change]({ ...alice, prove: wrong }, refused)).rejects.toThrow(ChatError);
      expect(refused.steps).toEqual(['kept beside the password', 'dropped']);
      const lost = keeper();
      const peer = await loggedIn(t, 'alice');
      const connection = connectionTo(t, peer, (name, answer) =>
        name === 'keys.backup' || name === 'keys.publish'
          ? { refused: new ChatError('unavailable', 'the connection broke') }
          : answer,
      );
      const prove = async () => {
        const { exchange, proof: message } = await challenged(t, peer, 'alice');
        return { exchange, message };
      };
      expect(await refusal(changes[change]({ ...alice, connection, prove }, lost))).toMatchObject({
        code: 'unavailable',
      });
      expect(lost.steps).toEqual(['kept beside the password']);
      expect(await opens(t, lost.keys[0])).toBe('recovered');
    },
  );

  it('can be made after one that was made elsewhere once this device has logged in again', async () => {
    const { t, alice } = await open();
    const elsewhere = await device(t, 'alice');
    await changes.sealAnew(elsewhere, keeper());
    const recovery = keeper();
    expect(await refusal(changes.sealAnew(alice, recovery))).toMatchObject({ code: 'conflict' });
    expect(recovery.steps).toEqual([]);
    // Without what opens the new backup the keys that are here are still all that there are.
    const alone = { password: undefined, store: alice.store };
    expect((await device(t, 'alice', alone)).keys.kind).toBe('kept');
    const again = await device(t, 'alice', { store: alice.store });
    await changes.sealAnew(again, recovery);
    expect(await opens(t, recovery.keys[0])).toBe('recovered');
  });
});

describe('keys whose answer was lost', () => {
  const broke = new ChatError('unavailable', 'the connection broke');
  /** On this device's own connection, whose answers to new keys are lost after the server has stored them. */
  async function lossy(t: TestChat, of: Device) {
    const peer = await loggedIn(t, 'alice');
    const connection = connectionTo(t, peer, (name, answer) =>
      name === 'keys.publish' ? { refused: broke } : answer,
    );
    const prove = async () => {
      const { exchange, proof: message } = await challenged(t, peer, 'alice');
      return { exchange, message };
    };
    return { connection, ...options(of), prove };
  }
  /** Nothing but what is on this device opens anything. */
  const alone = { password: undefined, askRecoveryKey: undefined };

  it('are the device’s own at its next login, with nothing else to open their backup', async () => {
    const { t, alice } = await open();
    const { connection, ...rest } = await lossy(t, alice);
    const owner = { realm, user: parseUsername('alice') };
    const changed = { ...rest, password: undefined, stretch: cheapStretch, recovery: keeper() };
    expect(await refusal(renewIdentity(connection, owner, changed))).toEqual({
      code: 'unavailable',
      message: broke.message,
    });
    expect((await fileOf(alice)).record.seq).toBe(1);
    const next = await device(t, 'alice', { ...alone, store: alice.store });
    expect(next.keys.kind).toBe('restored');
    expect((await fileOf(alice)).record).toMatchObject({ seq: 2, epoch: 2 });
    expect(alice.store.pending).toBeUndefined();
    expect((await device(t, 'alice', { ...alone, store: alice.store })).keys.kind).toBe('kept');
  });

  it('are another epoch’s too', async () => {
    const { t, alice } = await open();
    const { connection, ...rest } = await lossy(t, alice);
    expect(await refusal(rotateKeys(connection, rest))).toMatchObject({ code: 'unavailable' });
    expect((await device(t, 'alice', { ...alone, store: alice.store })).keys.kind).toBe('restored');
    expect((await fileOf(alice)).ring.encryption.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('are those of a new recovery key too, which opens the backup from then on', async () => {
    const { t, alice } = await open();
    const peer = await loggedIn(t, 'alice');
    const connection = connectionTo(t, peer, (name, answer) =>
      name === 'keys.backup' ? { refused: broke } : answer,
    );
    const recovery = keeper();
    const own = async () => {
      const { exchange, proof: message } = await challenged(t, peer, 'alice');
      return { exchange, message };
    };
    const lost = sealAnew(connection, { ...options(alice), prove: own, recovery });
    expect(await refusal(lost)).toMatchObject({ code: 'unavailable' });
    expect((await device(t, 'alice', { ...alone, store: alice.store })).keys.kind).toBe('kept');
    expect([(await fileOf(alice)).backupVersion, alice.store.pending]).toEqual([2, undefined]);
    await rotateKeys(alice.connection, options(alice));
    const askRecoveryKey = async () => recovery.keys[0];
    expect((await device(t, 'alice', { password: undefined, askRecoveryKey })).keys.kind).toBe('recovered');
  });

  it('are nobody’s when the server has refused them, or shows others', async () => {
    const { t, alice } = await open();
    const before = await fileOf(alice);
    const wrong = async () => ({ exchange: 'no such exchange', message: 'c=,r=,p=' });
    const owner = { realm, user: parseUsername('alice') };
    const changed = { ...options(alice), ...byPassword, prove: wrong, recovery: keeper() };
    await expect(renewIdentity(alice.connection, owner, changed)).rejects.toThrow(ChatError);
    expect([alice.store.pending, await fileOf(alice)]).toEqual([undefined, before]);
    // Some that never reached the server.
    const elsewhere = await device(t, 'alice');
    const next = await rotateKeys(elsewhere.connection, options(elsewhere));
    const { file } = await makeKeys(owner, undefined, { password: undefined, stretch: cheapStretch });
    await alice.store.keepPending(file);
    await device(t, 'alice', { ...alone, store: alice.store });
    expect((await fileOf(alice)).ring.identity).toEqual(before.ring.identity);
    await device(t, 'alice', { store: alice.store });
    expect((await fileOf(alice)).record).toEqual(next.record);
  });
});

describe('another identity', () => {
  it('is begun by who has lost the keys, over what is published, and has to be trusted anew', async () => {
    const { t, alice, bob } = await open();
    const ofOld = await bob.send('alice', 'under the first identity');
    await alice.send('bob', 'known now');
    const lost = await device(t, 'bob', { password: undefined });
    expect(lost.keys.kind).toBe('locked');
    const owner = { realm, user: parseUsername('bob') };
    const recovery = keeper();
    const file = await renewIdentity(lost.connection, owner, { ...options(lost), ...byPassword, recovery });
    expect(recovery.steps).toEqual(['kept beside the password']);
    expect(file.record).toMatchObject({ seq: 2, epoch: 2 });
    const toOld = { ...(await alice.last('bob')), to: '@alice' };
    const reader = await lost.messages();
    expect(await reader.open(toOld)).toEqual({ kind: 'locked', by: 'lost' });
    expect(await reader.open({ ...ofOld, to: '@alice' })).toEqual({ kind: 'locked', by: 'lost' });
    expect((await device(t, 'bob', { store: lost.store })).keys).toEqual({
      kind: 'kept',
      file: await fileOf(lost),
    });
    expect(await fileOf(await device(t, 'bob'))).toEqual(file);
    const recovered = await device(t, 'bob', {
      password: undefined,
      askRecoveryKey: async () => recovery.keys[0],
    });
    expect(recovered.keys.kind).toBe('recovered');
    expect(await refusal(alice.send('bob', 'to whom?'))).toMatchObject({ code: 'untrusted' });
    // The other device of the account learns of it at its next login, when the password opens the backup.
    expect(await fileOf(await device(t, 'bob', { store: bob.store }))).toMatchObject({ record: file.record });
  });
});
