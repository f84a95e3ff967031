import * as z from 'zod';
import { operation } from '../../operation.ts';
import { backupVersion, freshProof, keyBackupChange } from '../shapes.ts';
import { backupConflict, checkBackup } from './check-backup.ts';
import { proveAnew, proveOwner } from './prove-owner.ts';

/**
 * Keeps the account's sealed keys over those of `version`, 0 for the first. Whoever overwrites them takes old messages from their
 * reader: it takes a fresh proof, and the first one a login of a short while ago or a proof. A wrap by password is kept for private
 * accounts alone: an open one has shown it.
 */
export const backup = operation({
  name: 'keys.backup',
  access: 'session',
  cost: 'keys',
  audited: true,
  overlaps: false,
  input: z.strictObject({ backup: keyBackupChange, version: backupVersion, proof: freshProof.optional() }),
  output: z.object({ version: z.number() }),
  async handle({ backup: change, version, proof }, context) {
    const { services, session } = context;
    await checkBackup(context, change, version);
    if (version > 0) await proveAnew(context, proof, 'overwriting a backup');
    else await proveOwner(context, proof, 'to give a first backup');
    const next = await services.store.putKeyBackup({ userId: session.userId, version, backup: change });
    if (next === undefined) throw backupConflict();
    return { version: next };
  },
});
