import * as z from 'zod';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, username } from '../shapes.ts';
import { lastAdministrator, noSuchAccount } from './refused.ts';

/**
 * Makes an account an administrator, or one no more, at once on every open connection; never the last one who can log in: `conflict`.
 * To make one takes a fresh proof of the caller's secret (ASVS 7.5.1): what a stolen session gave away would outlive that session.
 */
export const setAdministrator = operation({
  name: 'admin.set-administrator',
  access: 'admin',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z
    .strictObject({ username, admin: z.boolean(), proof: freshProof.optional() })
    .refine(({ admin, proof }) => !admin || proof !== undefined, {
      error: 'give a fresh proof of your own secret',
      path: ['proof'],
    }),
  output: z.object({}),
  async handle({ username: name, admin, proof }, context) {
    const { services, note } = context;
    note({ details: { admin } });
    if (proof) await proveAgain(context, proof);
    const outcome = await services.store.setAdministrator({ username: name, isAdmin: admin });
    if (outcome === 'missing') throw noSuchAccount(name);
    if (outcome === 'last-administrator') throw lastAdministrator();
    return {};
  },
});
