import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { makeRecoveryCodes } from '../../login/recovery-codes.ts';
import { operation } from '../../operation.ts';
import { freshProof } from '../shapes.ts';

/**
 * Makes a new set of recovery codes, which are shown this once; those from before are worth nothing any more. Takes a fresh proof,
 * with a code. `conflict` without a factor.
 */
export const recoveryCodes = operation({
  name: 'account.recovery-codes',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ proof: freshProof }),
  output: z.object({ recovery_codes: z.array(z.string()) }),
  async handle({ proof }, context) {
    const { services, session } = context;
    const { userId, username } = session;
    const { prepared } = await proveAgain(context, proof, async ({ account }) => {
      if (!account.hasSecondFactor) throw noFactor();
      return await makeRecoveryCodes(context, username);
    });
    const { codes, hashed } = prepared;
    if (!(await services.store.replaceRecoveryCodes({ userId, codes: hashed }))) throw noFactor();
    return { recovery_codes: [...codes] };
  },
});

function noFactor(): ChatError {
  return new ChatError('conflict', 'this account has no second factor');
}
