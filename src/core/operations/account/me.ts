import * as z from 'zod';
import { badToken } from '../../errors.ts';
import { type Account, privacies } from '../../model/account.ts';
import type { UserId } from '../../model/ids.ts';
import { operation } from '../../operation.ts';
import { factorTakenToldMs } from '../../policy.ts';
import type { Services } from '../../services.ts';
import { instant } from '../shapes.ts';

/** The caller's own account and session. */
export const me = operation({
  name: 'account.me',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: false,
  overlaps: true,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({
    user_id: z.string(),
    username: z.string(),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    privacy: z.enum(privacies),
    admin: z.boolean(),
    created_at: instant,
    second_factor: z.object({
      on: z.boolean(),
      recovery_codes_left: z.number(),
      /** When an administrator took it away, for a month after. */
      taken_at: instant.optional(),
    }),
    /** When it is to be erased. */
    erases_at: instant.optional(),
    /** The terms of the server, and since when they are accepted as they are now; null: not yet. */
    terms: z.object({ sha256: z.string(), accepted_at: instant.nullable() }).optional(),
    session: z.object({ id: z.string(), device_id: z.string(), device: z.string(), expires_at: instant }),
  }),
  async handle(_input, { services, session, now }) {
    const account = await services.store.account(session.username);
    if (!account) throw badToken();
    const factor = account.hasSecondFactor ? await services.store.secondFactor(account.id) : undefined;
    return {
      user_id: account.id,
      username: account.username,
      email: account.email,
      email_verified: account.emailVerifiedAt !== null,
      privacy: account.privacy,
      admin: account.isAdmin,
      created_at: new Date(account.createdAt).toISOString(),
      second_factor: {
        on: account.hasSecondFactor,
        recovery_codes_left: factor?.recoveryCodesLeft ?? 0,
        ...takenOf(account, now),
      },
      ...(account.erasesAt === undefined ? {} : { erases_at: new Date(account.erasesAt).toISOString() }),
      ...(await termsOf(services, account.id)),
      session: {
        id: session.id,
        device_id: session.deviceId,
        device: session.deviceLabel,
        expires_at: new Date(services.sessions.expiresAt(session)).toISOString(),
      },
    };
  },
});

function takenOf({ factorTakenAt: at }: Account, now: number) {
  return at === undefined || now - at >= factorTakenToldMs ? {} : { taken_at: new Date(at).toISOString() };
}

async function termsOf({ terms, store }: Services, userId: UserId) {
  if (!terms) return {};
  const { sha256 } = terms;
  const accepted = (await store.consents({ userId })).find(({ digest }) => digest === sha256);
  return { terms: { sha256, accepted_at: accepted ? new Date(accepted.at).toISOString() : null } };
}
