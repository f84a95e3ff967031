import { z } from 'zod';
import { operation } from '../../operation.ts';
import { username } from '../shapes.ts';
import { lastAdministrator, noSuchAccount } from './refused.ts';

/** Makes an account an administrator, or one no more, at once on every open connection; never the last one who can log in: `conflict`. */
export const setAdministrator = operation({
  name: 'admin.set-administrator',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username, admin: z.boolean() }),
  output: z.object({}),
  async handle({ username: name, admin }, { services, note }) {
    note({ details: { admin } });
    const outcome = await services.store.setAdministrator({ username: name, isAdmin: admin });
    if (outcome === 'missing') throw noSuchAccount();
    if (outcome === 'last-administrator') throw lastAdministrator();
    return {};
  },
});
