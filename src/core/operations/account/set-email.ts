import * as z from 'zod';
import { badToken, ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { email, freshProof } from '../shapes.ts';

/**
 * Gives the caller's account another e-mail address, for a fresh proof. It is unconfirmed until its owner says so, with a code that a
 * server which sends mail sends there at once; the address that was confirmed before is told. The address that the account has
 * already changes nothing. Whether others have the address is told to nobody: whoever confirms it has it.
 */
export const setEmail = operation({
  name: 'account.set-email',
  access: 'session',
  cost: 'mail-request',
  audited: true,
  overlaps: false,
  input: z.strictObject({ email, proof: freshProof }),
  output: z.object({ email: z.string(), email_verified: z.boolean(), mail_sent: z.boolean() }),
  async handle({ email: address, proof }, context) {
    const { store, mailing, onFailure } = context.services;
    const { now } = context;
    const { account } = await proveAgain(context, proof);
    // One that led to somebody else may be free by now.
    if (!(await store.setEmail({ userId: account.id, email: address }))) throw badToken();
    if (account.email === address) {
      return { email: address, email_verified: account.emailVerifiedAt !== null, mail_sent: false };
    }
    if (!mailing) return { email: address, email_verified: false, mail_sent: false };
    if (account.email !== null && account.emailVerifiedAt !== null) {
      mailing.emailChanged(account, account.email, now);
    }
    const changed = { ...account, email: address, emailVerifiedAt: null };
    // The address is changed whatever becomes of the mail: it can be asked for again.
    const isSent = await mailing.verification(changed, now).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof ChatError)) onFailure(error);
        return false;
      },
    );
    return { email: address, email_verified: false, mail_sent: isSent };
  },
});
