import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { consentOf } from '../../terms.ts';
import { acceptTerms } from '../shapes.ts';

/** Keeps that the caller has accepted the terms of the server as they are now. `conflict` for a server that has none. */
export const acceptTermsOperation = operation({
  name: 'account.accept-terms',
  access: 'session',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ accept_terms: acceptTerms }),
  output: z.object({ sha256: z.string() }),
  async handle(given, context) {
    const consent = consentOf(context, given.accept_terms);
    if (!consent) throw new ChatError('conflict', 'this server has no terms to accept');
    await context.services.store.addConsent({ ...consent, userId: context.session.userId });
    return { sha256: consent.digest };
  },
});
