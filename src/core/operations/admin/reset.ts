import { z } from 'zod';
import { issueCode } from '../../codes.ts';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { instant, username } from '../shapes.ts';

/**
 * Makes a code for an account that sets a new password (`account.reset-password`), in the place of an older one, for the
 * administrator to give to its owner. It is told this once. `not-found` when there is no such account.
 */
export const reset = operation({
  name: 'admin.reset',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username }),
  output: z.object({ username: z.string(), code: z.string(), expires_at: instant }),
  async handle({ username: name }, { services, now }) {
    const account = await services.store.account(name);
    const issued = account && (await issueCode(services, { kind: 'reset-by-admin', account, now }));
    if (!issued) throw new ChatError('not-found', 'there is no such account', { field: 'username' });
    return { username: name, code: issued.code, expires_at: new Date(issued.expiresAt).toISOString() };
  },
});
