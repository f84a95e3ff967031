import * as z from 'zod';
import { operation } from '../../operation.ts';
import { listed } from '../certificate/listed.ts';
import { listedCertificate, username } from '../shapes.ts';
import { noSuchAccount } from './refused.ts';

/** An account's certificates, as its owner sees them. */
export const certificates = operation({
  name: 'admin.certificates',
  access: 'admin',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ username }),
  output: z.object({ certificates: z.array(listedCertificate) }),
  async handle({ username: name }, { services: { store } }) {
    const account = await store.account(name);
    if (!account) throw noSuchAccount(name);
    return { certificates: (await store.certificates({ userId: account.id })).map(listed) };
  },
});
