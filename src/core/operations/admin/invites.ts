import * as z from 'zod';
import { operation } from '../../operation.ts';
import { afterName, instant, nextName, pageLimit } from '../shapes.ts';

/** The invites that are still good, in the order in which they were made, a page at a time; never their codes. */
export const invites = operation({
  name: 'admin.invites',
  access: 'admin',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ after: afterName, limit: pageLimit.default(1_000) }),
  output: z.object({
    invites: z.array(
      z.object({
        id: z.string(),
        by: z.string().nullable(),
        created_at: instant,
        expires_at: instant,
        uses: z.number(),
        uses_left: z.number(),
      }),
    ),
    next: nextName,
  }),
  async handle({ after, limit }, { services, now }) {
    const found = await services.store.invites({ after, limit, now });
    return {
      invites: found.map(({ id, by, createdAt, expiresAt, uses, usesLeft }) => ({
        id,
        by,
        created_at: new Date(createdAt).toISOString(),
        expires_at: new Date(expiresAt).toISOString(),
        uses,
        uses_left: usesLeft,
      })),
      next: found.length < limit ? null : (found.at(-1)?.id ?? null),
    };
  },
});
