import { z } from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, keyBackup } from '../shapes.ts';

/**
 * Keeps the account's sealed keys in the place of those of `version`, 0 for the first. Whoever overwrites them takes old messages
 * from their reader: it takes a fresh proof. A wrap by password is kept for private accounts alone: an open one has shown it.
 */
export const backup = operation({
  name: 'keys.backup',
  access: 'session',
  cost: 'message',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    backup: keyBackup,
    version: z.number().int().min(0),
    proof: freshProof.optional(),
  }),
  output: z.object({ version: z.number() }),
  async handle({ backup: sealed, version, proof }, context) {
    const { services, session } = context;
    const account = await services.store.account(session.username);
    if (!account) throw badToken();
    if (sealed.password_wrap !== undefined && account.privacy === 'open') {
      throw new ChatError(
        'forbidden',
        'the server has seen the password of an open account: nothing is sealed with it',
        {
          field: 'backup.password_wrap',
        },
      );
    }
    if (version > 0) {
      if (!proof) {
        throw new ChatError('forbidden', 'overwriting a backup takes a proof of the password: give proof', {
          field: 'proof',
        });
      }
      await proveAgain(context, proof);
    }
    const next = await services.store.putKeyBackup({ userId: session.userId, version, backup: sealed });
    if (next === undefined) {
      throw new ChatError('conflict', 'the backup has been changed meanwhile: read it again', {
        field: 'version',
      });
    }
    return { version: next };
  },
});
