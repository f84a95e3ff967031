import * as z from 'zod';
import { operation } from '../../operation.ts';
import { username } from '../shapes.ts';
import { noSuchAccount } from './refused.ts';

/** Lets the owner of a disabled account log in again; one that is not disabled stays as it is. */
export const enable = operation({
  name: 'admin.enable',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ username }),
  output: z.object({}),
  async handle({ username: name }, { services }) {
    if (!(await services.store.enableAccount({ username: name }))) throw noSuchAccount(name);
    return {};
  },
});
