import { z } from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { makeRecoveryCodes } from '../../login/recovery-codes.ts';
import { operation } from '../../operation.ts';
import { freshProof } from '../shapes.ts';

/** Makes a new set of recovery codes, which are shown this once; those from before are worth nothing any more. Takes a fresh proof, with a code. `conflict` without a factor. */
export const recoveryCodes = operation({
  name: 'account.recovery-codes',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ proof: freshProof }),
  output: z.object({ recovery_codes: z.array(z.string()) }),
  async handle({ proof }, context) {
    await proveAgain(context, proof);
    const { services, session } = context;
    const { userId, username } = session;
    const { codes, hashed } = await makeRecoveryCodes(context, username);
    if (!(await services.store.replaceRecoveryCodes({ userId, codes: hashed }))) {
      throw new ChatError('conflict', 'this account has no second factor');
    }
    return { recovery_codes: [...codes] };
  },
});
