import * as z from 'zod';
import type { InviteId } from '../../model/invite.ts';
import { newOneTimeCode, oneTimeCodeDigest } from '../../one-time-code.ts';
import { operation } from '../../operation.ts';
import { inviteLimits, registrationModes } from '../../policy.ts';
import { uuidV7 } from '../../random.ts';
import { instant } from '../shapes.ts';

const { defaultMs, maxMs, maxUses } = inviteLimits;

/**
 * Makes a code with which so many accounts can be made until it is over: once and within the hour unless said otherwise (ASVS 6.4.1).
 * The code is shown this once.
 */
export const createInvite = operation({
  name: 'admin.create-invite',
  access: 'admin',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    uses: z.number().int().min(1).max(maxUses).default(1),
    expires_in_s: z
      .number()
      .int()
      .min(1)
      .max(maxMs / 1_000)
      .default(defaultMs / 1_000),
  }),
  output: z.object({
    id: z.string(),
    code: z.string(),
    uses: z.number(),
    expires_at: instant,
    /** Who may register now: an invite counts with `invite` alone. */
    registration: z.enum(registrationModes),
  }),
  async handle({ uses, expires_in_s: seconds }, { services, session, now, note }) {
    const code = newOneTimeCode();
    const id = uuidV7() as InviteId;
    const expiresAt = now + seconds * 1_000;
    const codeHash = oneTimeCodeDigest(code, services.digests);
    note({ details: { invite: id, uses } });
    await services.store.createInvite({ id, codeHash, by: session.userId, createdAt: now, expiresAt, uses });
    const { registration } = services.policy;
    return { id, code, uses, expires_at: new Date(expiresAt).toISOString(), registration };
  },
});
