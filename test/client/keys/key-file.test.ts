import { describe, expect, it } from 'vitest';
import { type KeyFile, readKeyFile, writeKeyFile } from '../../../src/client/keys/key-file.ts';
import { pinOfRecord } from '../../../src/client/keys/pin.ts';
import { newBackupKey } from '../../../src/core/e2ee/key-backup.ts';
import { keyed } from '../../core/e2ee/support/accounts.ts';

function file(): KeyFile {
  const { record, secrets } = keyed('alice');
  return {
    record,
    ring: {
      identity: secrets.identity,
      encryption: [{ seq: 1, secret: secrets.encryption }],
      recovery: newBackupKey(),
    },
    backupKey: newBackupKey(),
    backupVersion: 1,
    pins: new Map([['bob', pinOfRecord(keyed('bob').record, true)]]),
  };
}

describe('a key file', () => {
  it('is read as it was written', () => {
    const written = file();
    expect(readKeyFile(writeKeyFile(written))).toEqual(written);
  });

  it.each([
    ['no JSON', () => 'x'],
    ['no object', () => '[]'],
    ['another record', (text: string) => text.replace(`"record": "AAAA`, `"record": "AAAB`)],
    ['a short secret', (text: string) => text.replace(/"identity": "../, '"identity": "')],
    ['no keys', (text: string) => text.replace(/"encryption": \[[^\]]*\]/, '"encryption": []')],
    ['a key without a number', (text: string) => text.replace('"seq": 1,', '"seq": "1",')],
    ['a wrong version', (text: string) => text.replace('"backup_version": 1', '"backup_version": -1')],
    ['a short recovery key', (text: string) => text.replace(/"recovery": "../, '"recovery": "')],
    ['a short backup key', (text: string) => text.replace(/"backup_key": "../, '"backup_key": "')],
    ['a pin that is none', (text: string) => text.replace('"isVerified": true', '"isVerified": 1')],
    ['pins that are none', (text: string) => text.replace(/"pins": \{[\s\S]*\}\n\}/, '"pins": []\n}')],
  ])('is nothing with %s', (_what, spoil) => {
    const text = writeKeyFile(file());
    const spoiled = spoil(text);
    expect(spoiled).not.toBe(text);
    expect(readKeyFile(spoiled)).toBeUndefined();
  });
});
