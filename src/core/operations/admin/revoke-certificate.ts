import * as z from 'zod';
import { operation } from '../../operation.ts';
import { noSuchCertificate } from '../certificate/refused.ts';
import { certificateId, username } from '../shapes.ts';
import { noSuchAccount } from './refused.ts';

/** Lets nobody log in with an account's certificate any more, for ever, and ends the sessions that were opened with it. */
export const revokeCertificate = operation({
  name: 'admin.revoke-certificate',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username, id: certificateId }),
  output: z.object({ ended_sessions: z.array(z.string()) }),
  async handle({ username: name, id }, { services, peer, now }) {
    const { store, sessions } = services;
    const account = await store.account(name);
    if (!account) throw noSuchAccount(name);
    const ended = await store.revokeCertificate({ id, userId: account.id, now });
    if (!ended) throw noSuchCertificate();
    sessions.ended(ended, 'revoked', { survivor: peer, of: name });
    return { ended_sessions: [...ended] };
  },
});
