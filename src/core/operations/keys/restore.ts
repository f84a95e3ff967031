import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { freshProof, keyBackup } from '../shapes.ts';
import { proveOwner } from './prove-owner.ts';

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
    const { services, session } = context;
    await proveOwner(context, proof, 'to be given the keys');
    const found = await services.store.keyBackup({ userId: session.userId });
    if (!found) throw new ChatError('not-found', 'this account has no backup of its keys');
    return found;
  },
});
