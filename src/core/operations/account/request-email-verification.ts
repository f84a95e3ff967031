import * as z from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import { noMail } from '../../mailing.ts';
import { operation } from '../../operation.ts';

/**
 * Sends a code to the account's e-mail address that confirms it (`account.verify-email`), in the place of an older one; nothing is
 * sent when it is confirmed already. `unsupported` where the server sends no mail, `conflict` for an account without an address,
 * `rate-limited` when the address, the account or the caller's network has had enough.
 */
export const requestEmailVerification = operation({
  name: 'account.request-email-verification',
  access: 'session',
  cost: 'mail-request',
  audited: true,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({ email: z.string(), email_verified: z.boolean() }),
  async handle(_input, { services, session, now }) {
    const { store, mailing } = services;
    if (!mailing) throw noMail('an address cannot be confirmed here');
    const account = await store.account(session.username);
    if (!account) throw badToken();
    const { email, emailVerifiedAt } = account;
    if (email === null) throw new ChatError('conflict', 'this account has no e-mail address: give it one');
    if (emailVerifiedAt !== null) return { email, email_verified: true };
    await mailing.verification(account, now);
    return { email, email_verified: false };
  },
});
