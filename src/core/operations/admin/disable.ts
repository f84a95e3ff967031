import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { disableAccount } from '../../login/disable-account.ts';
import { operation } from '../../operation.ts';
import { username } from '../shapes.ts';
import { lastAdministrator, noSuchAccount } from './refused.ts';

/**
 * Lets nobody log in to an account any more and ends its sessions everywhere. Nobody disables the own account, and never the last
 * administrator who can log in: `conflict`.
 */
export const disable = operation({
  name: 'admin.disable',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username }),
  output: z.object({}),
  async handle({ username: name }, { services, session, now }) {
    if (name === session.username) {
      throw new ChatError('conflict', 'nobody disables the own account: another administrator can', {
        field: 'username',
      });
    }
    const outcome = await disableAccount(services, name, now);
    if (outcome === 'missing') throw noSuchAccount(name);
    if (outcome === 'last-administrator') throw lastAdministrator();
    return {};
  },
});
