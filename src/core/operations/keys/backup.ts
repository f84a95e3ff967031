import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { backupVersion, freshProof, keyBackupChange } from '../shapes.ts';
import { backupConflict, checkBackup } from './check-backup.ts';

/**
 * Keeps the account's sealed keys over those of `version`, 0 for the first. Whoever overwrites them takes old messages from their
 * reader: it takes a fresh proof. A wrap by password is kept for private accounts alone: an open one has shown it.
 */
export const backup = operation({
  name: 'keys.backup',
  access: 'session',
  cost: 'message',
  audited: true,
  overlaps: false,
  input: z.strictObject({ backup: keyBackupChange, version: backupVersion, proof: freshProof.optional() }),
  output: z.object({ version: z.number() }),
  async handle({ backup: change, version, proof }, context) {
    const { services, session } = context;
    await checkBackup(context, change, version);
    if (version > 0) {
      if (!proof) {
        throw new ChatError('forbidden', 'overwriting a backup takes a proof of the password: give proof', {
          field: 'proof',
        });
      }
      await proveAgain(context, proof);
    }
    const next = await services.store.putKeyBackup({ userId: session.userId, version, backup: change });
    if (next === undefined) throw backupConflict();
    return { version: next };
  },
});
