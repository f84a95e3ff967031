import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { operation } from '../../operation.ts';
import { freshProof, username } from '../shapes.ts';
import { noFactor, noSuchAccount } from './refused.ts';

/**
 * Takes the second factor of an account away, for an owner who has lost authenticator and recovery codes, and ends all its sessions:
 * whoever has the authenticator now may have the machine too. The owner is told, by mail where an address is confirmed, and at each login
 * for a month. It takes a fresh proof of the caller's secret (ASVS 7.5.1), and nobody does it to the own account: `conflict`, as for an
 * account that has none. `not-found` when there is no such account. A disabled one stays disabled.
 */
export const takeSecondFactor = operation({
  name: 'admin.take-second-factor',
  access: 'admin',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username, proof: freshProof }),
  output: z.object({ username: z.string(), ended_sessions: z.number() }),
  async handle({ username: name, proof }, context) {
    const { services, session, now } = context;
    const { store, sessions, mailing } = services;
    if (name === session.username) {
      throw new ChatError(
        'conflict',
        'nobody takes the own second factor away: account.totp-off turns it off, or another administrator can',
        { field: 'username' },
      );
    }
    // Refused before a code of the administrator's own is used up for nothing.
    const { prepared: account } = await proveAgain(context, proof, async () => {
      const found = await store.account(name);
      if (!found) throw noSuchAccount(name);
      if (!found.hasSecondFactor) throw noFactor();
      return found;
    });
    const ended = await store.removeSecondFactor({ userId: account.id, takenAt: now });
    // Its owner was faster, or another administrator.
    if (!ended) throw noFactor();
    sessions.ended(ended, 'credentials-changed', { of: name });
    mailing?.factorTaken(account, now);
    return { username: name, ended_sessions: ended.length };
  },
});
