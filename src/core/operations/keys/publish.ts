import * as z from 'zod';
import { isEncryptionKey } from '../../e2ee/account-keys.ts';
import { followsRecord, readKeyRecord, type SignedKeyRecord } from '../../e2ee/key-record.ts';
import { ChatError } from '../../errors.ts';
import { type CallContext, operation } from '../../operation.ts';
import { backupVersion, freshProof, keyBackupChange, keyRecord } from '../shapes.ts';
import { backupConflict, checkBackup } from './check-backup.ts';
import { proveAnew, proveOwner } from './prove-owner.ts';

/**
 * Publishes the account's next key record (security 5). It has to follow the newest one and takes a fresh proof; the first, by which
 * everybody will know the account, a login of a short while ago or a proof: who has but found a session has neither. The newest one once
 * more is answered as before: a lost answer costs nothing. `backup` is kept in the same step, so that no message is ever sealed for keys
 * that only one device has; over one that is there it takes a fresh proof too.
 */
export const publish = operation({
  name: 'keys.publish',
  access: 'session',
  cost: 'keys',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    record: keyRecord,
    backup: keyBackupChange.extend({ version: backupVersion }).optional(),
    proof: freshProof.optional(),
  }),
  output: z.object({ seq: z.number() }),
  async handle({ record: text, backup, proof }, context) {
    const { services, session, now } = context;
    const record = readOwn(context, text);
    const before = await newestOf(context);
    if (before?.text === record.text) return { seq: record.seq };
    if (!followsRecord(record, before, services.digests)) throw notNext(before);
    if (backup) await checkBackup(context, backup, backup.version);
    if (before) await proveAnew(context, proof, 'a key record after the first');
    else if (backup && backup.version > 0) await proveAnew(context, proof, 'overwriting a backup');
    else await proveOwner(context, proof, "to give an account's first keys");
    const { seq } = record;
    const outcome = await services.store.publishKeyRecord({
      userId: session.userId,
      seq,
      record: text,
      now,
      backup,
    });
    if (outcome === 'other-backup') throw backupConflict();
    if (outcome === 'other-record') throw notNext(await newestOf(context));
    return { seq };
  },
});

function readOwn({ services, session }: CallContext<'session'>, text: string): SignedKeyRecord {
  const record = readKeyRecord(text, services.digests);
  const refuse = (why: string) => new ChatError('invalid', `record: ${why}`, { field: 'record' });
  if (!record) throw refuse('not a key record that its own identity key has signed');
  if (record.user !== session.username) throw refuse('it is of another account');
  if (record.realm !== services.settings.realm) throw refuse('it is for another server');
  if (!isEncryptionKey(record.keys.encryption)) throw refuse('nothing can be sealed to its encryption key');
  return record;
}

async function newestOf({ services, session }: CallContext<'session'>): Promise<SignedKeyRecord | undefined> {
  const found = await services.store.keyRecord({ username: session.username });
  return found?.record === undefined ? undefined : readKeyRecord(found.record, services.digests);
}

function notNext(before: SignedKeyRecord | undefined): ChatError {
  return new ChatError(
    'conflict',
    before
      ? `record: it does not follow the account's newest, which is number ${before.seq}`
      : 'record: it is not the first of an account, which has number and epoch 1',
    { field: 'record' },
  );
}
