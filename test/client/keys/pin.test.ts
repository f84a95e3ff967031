import { describe, expect, it } from 'vitest';
import { isIdentity, judgeRecord, pinOfRecord } from '../../../src/client/keys/pin.ts';
import { nextSecretKeys } from '../../../src/core/e2ee/account-keys.ts';
import { signKeyRecord } from '../../../src/core/e2ee/key-record.ts';
import { keyed, realm } from '../../core/e2ee/support/accounts.ts';

const bob = keyed('bob');
const { user, digest } = bob.record;
const second = signKeyRecord(
  { realm, user, seq: 2, previous: digest, epoch: 2, at: 2 },
  nextSecretKeys(bob.secrets),
);

describe('a pin', () => {
  it('is what is first seen of an account', () => {
    expect(judgeRecord(undefined, bob.record)).toEqual({ kind: 'known', pin: pinOfRecord(bob.record) });
  });

  it('stays for the same record, and moves with a newer one, verified as before', () => {
    const pin = pinOfRecord(bob.record, true);
    expect(judgeRecord(pin, bob.record)).toEqual({ kind: 'known', pin });
    const moved = { kind: 'known', pin: pinOfRecord(second, true) };
    expect(judgeRecord(pin, second)).toEqual(moved);
  });

  it('refuses another identity, an older record, and another one of the same number', () => {
    const pin = pinOfRecord(second);
    expect(judgeRecord(pin, bob.record)).toEqual({ kind: 'older' });
    expect(judgeRecord(pin, keyed('bob').record)).toEqual({ kind: 'changed' });
    const fork = signKeyRecord({ ...second, at: 3 }, nextSecretKeys(bob.secrets));
    expect(judgeRecord(pin, fork)).toEqual({ kind: 'forked' });
  });

  it('knows its identity in an old record too, and no other', () => {
    expect(isIdentity(pinOfRecord(second), bob.record)).toBe(true);
    expect(isIdentity(pinOfRecord(second), keyed('bob').record)).toBe(false);
    expect(isIdentity({ ...pinOfRecord(second), identity: '!' }, bob.record)).toBe(false);
  });
});
