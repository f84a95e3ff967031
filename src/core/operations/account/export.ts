import { z } from 'zod';
import { badToken } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { ownPage } from '../../own-data.ts';
import { ownSections } from '../../own-sections.ts';
import { feedPageRows } from '../../policy.ts';

/**
 * What is kept about the caller's account, section by section and page by page: one's own data, nobody else's, no secret. Only
 * the first page of the first section counts against the limit of exports, so that one that has begun can be brought to its end.
 */
export const exportData = operation({
  name: 'account.export',
  access: 'session',
  cost: 'none',
  audited: false,
  // Each answer may be large: the next is made when there is room for it.
  overlaps: false,
  needsNoFactor: true,
  whileErasing: true,
  input: z.strictObject({
    section: z.enum(ownSections).default('account'),
    after: z.string().max(128).optional(),
    limit: z.number().int().min(1).max(feedPageRows).default(feedPageRows),
  }),
  output: z.object({
    section: z.enum(ownSections),
    rows: z.array(z.record(z.string(), z.unknown())),
    next: z.string().nullable(),
    /** All sections in their order. */
    sections: z.array(z.string()),
  }),
  async handle({ section, after, limit }, context) {
    const { services, session, peer, now } = context;
    const account = await services.store.account(session.username);
    if (!account) throw badToken();
    if (section === 'account') {
      await services.limits.take('export', session.userId);
      const { door, address } = peer;
      const { username: user } = session;
      services.audit({ at: now, operation: 'account.export', user, door, address, outcome: 'ok' });
    }
    const { rows, next = null } = await ownPage(section, { context, account, after, limit });
    return { section, rows: [...rows], next, sections: [...ownSections] };
  },
});
