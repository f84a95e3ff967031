import * as z from 'zod';
import { privacies } from '../../model/account.ts';
import { operation } from '../../operation.ts';
import { afterName, instant, nextName, pageLimit } from '../shapes.ts';

/** Every account as administrators see it, in order of name, a page at a time. */
export const users = operation({
  name: 'admin.users',
  access: 'admin',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ after: afterName, limit: pageLimit.default(1_000) }),
  output: z.object({
    users: z.array(
      z.object({
        user_id: z.string(),
        username: z.string(),
        email: z.string().nullable(),
        privacy: z.enum(privacies),
        admin: z.boolean(),
        disabled_at: instant.nullable(),
        /** When it is to be erased. */
        erases_at: instant.nullable(),
        created_at: instant,
        online: z.boolean(),
      }),
    ),
    next: nextName,
  }),
  async handle({ after, limit }, { services }) {
    const { store, presence } = services;
    const accounts = await store.accounts({ after, limit });
    return {
      users: accounts.map(({ id, username, email, privacy, isAdmin, disabledAt, erasesAt, createdAt }) => ({
        user_id: id,
        username,
        email,
        privacy,
        admin: isAdmin,
        disabled_at: disabledAt === null ? null : new Date(disabledAt).toISOString(),
        erases_at: erasesAt === undefined ? null : new Date(erasesAt).toISOString(),
        created_at: new Date(createdAt).toISOString(),
        online: presence.isOnline(username),
      })),
      next: accounts.length < limit ? null : (accounts.at(-1)?.username ?? null),
    };
  },
});
