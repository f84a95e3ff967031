import * as z from 'zod';
import { noMail } from '../../mailing.ts';
import { operation } from '../../operation.ts';
import { email, username } from '../shapes.ts';

/**
 * Asks for a code by mail that sets a new password (`account.reset-password`). It goes to the confirmed address of the account and
 * nowhere else. The answer is the same, and comes as soon, whether there is such an account or not (ASVS 6.3.8). `unsupported` where
 * the server sends no mail.
 */
export const requestReset = operation({
  name: 'account.request-reset',
  access: 'anyone',
  cost: 'mail-request',
  audited: true,
  overlaps: false,
  input: z
    .strictObject({ username: username.optional(), email: email.optional() })
    .refine((input) => (input.username === undefined) !== (input.email === undefined), {
      error: 'give either username or email',
      path: ['username'],
    }),
  output: z.object({}),
  async handle(named, { services, now }) {
    if (!services.mailing) throw noMail('ask an administrator of it for a code');
    services.mailing.reset(named, now);
    return {};
  },
});
