import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { safetyNumber } from '../../core/e2ee/safety-number.ts';
import { ChatError } from '../../core/errors.ts';
import type { Username } from '../../core/model/username.ts';
import type { Connection } from '../connection.ts';
import { fetchRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { type Judgement, judgeRecord, type Pin, pinOfRecord } from './pin.ts';

/** Another account's keys as the server shows them now, and how they stand to what is remembered. */
export interface Acquaintance {
  readonly record: SignedKeyRecord;
  readonly pin: Pin | undefined;
  readonly judged: Judgement;
  /** The 60 digits of these two identities. */
  readonly safetyNumber: string;
}

/**
 * Asks for another account's newest keys and judges them, remembering nothing. Throws `not-found` for a name that nobody has, `untrusted`
 * for an account without keys, and `invalid` for one's own.
 */
export async function lookUp(connection: Connection, own: KeyFile, user: Username): Promise<Acquaintance> {
  const { record: mine, pins } = own;
  if (user === mine.user)
    throw new ChatError('invalid', 'these are your own keys: chat keys shows them', { field: 'USER' });
  const { record } = await fetchRecord(connection, user);
  if (!record) throw new ChatError('untrusted', `${user} has no keys: they come with a login by chat`);
  if (record.user !== user || record.realm !== mine.realm)
    throw new ChatError('untrusted', `the server shows keys of ${user} that are not the ones asked for`);
  const pin = pins.get(user);
  return {
    record,
    pin,
    judged: judgeRecord(pin, record),
    safetyNumber: safetyNumber(
      mine.realm,
      { user: mine.user, key: mine.keys.identity },
      { user, key: record.keys.identity },
    ),
  };
}

/** Takes a record for the account's from now on, whatever was remembered; a person has decided so. */
export async function trustRecord(
  store: KeyStore,
  record: SignedKeyRecord,
  isVerified: boolean,
): Promise<void> {
  await store.update((file) => {
    if (!file) throw new ChatError('not-found', 'this device has no keys of this account any more');
    return { ...file, pins: new Map(file.pins).set(record.user, pinOfRecord(record, isVerified)) };
  });
}
