import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import type { InviteId } from '../../model/invite.ts';
import { operation } from '../../operation.ts';

/** Takes an invite back: nobody registers with it any more. Accounts that were made with it stay. */
export const revokeInvite = operation({
  name: 'admin.revoke-invite',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ id: z.uuid().transform((id) => id as InviteId) }),
  output: z.object({}),
  async handle({ id }, { services, note }) {
    note({ details: { invite: id } });
    if (!(await services.store.revokeInvite({ id }))) {
      throw new ChatError('not-found', 'there is no such invite', { field: 'id' });
    }
    return {};
  },
});
