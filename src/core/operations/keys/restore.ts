import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { keysAfterLoginMs } from '../../policy.ts';
import { freshProof, keyBackup } from '../shapes.ts';

/**
 * The account's sealed keys, for a client that can open them; `not-found` when there are none. Who has but found a session could
 * guess at them offline: it takes a login of a short while ago, or a fresh proof.
 */
export const restore = operation({
  name: 'keys.restore',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ proof: freshProof.optional() }),
  output: z.object({ backup: keyBackup, version: z.number() }),
  async handle({ proof }, context) {
    const { services, session, now } = context;
    if (proof) await proveAgain(context, proof);
    else if (now - session.createdAt > keysAfterLoginMs) {
      throw new ChatError(
        'forbidden',
        'this login is too old to be given the keys: give proof, or log in again',
        {
          field: 'proof',
        },
      );
    }
    const found = await services.store.keyBackup({ userId: session.userId });
    if (!found) throw new ChatError('not-found', 'this account has no backup of its keys');
    return found;
  },
});
