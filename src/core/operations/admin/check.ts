import * as z from 'zod';
import { operation } from '../../operation.ts';
import { operatorOf } from './operator-of.ts';

/** Looks for damage, and for changes of the audit trail, in a backup, or in a copy of the database as it is now, while everything is served. */
export const check = operation({
  name: 'admin.check',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ name: z.string().max(64).optional() }),
  output: z.object({
    name: z.string().nullable(),
    bytes: z.number(),
    format: z.number(),
    faults: z.array(z.string()),
  }),
  async handle({ name }, { services, now }) {
    const checked = await operatorOf(services).check(name, now);
    return { ...checked, faults: [...checked.faults] };
  },
});
