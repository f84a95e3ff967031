import * as z from 'zod';
import { badToken } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { ownPage } from '../../own-data.ts';
import { ownSections } from '../../own-sections.ts';
import { feedPageRows } from '../../policy.ts';

/**
 * What is kept about the caller's account, section by section and page by page: one's own data, nobody else's, no secret. An export
 * counts once against its limit and has one row in the audit trail, at its first page, whichever that is, so that it can be brought to
 * its end. A section that is begun again, or a page that does not follow the one before, is another export.
 */
export const exportData = operation({
  name: 'account.export',
  access: 'session',
  cost: 'none',
  audited: true,
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
    const { services, session, now, note } = context;
    const { store, limits, exports } = services;
    const account = await store.account(session.username);
    if (!account) throw badToken();
    const step = { section, after };
    const known = exports.goesOn(session.userId, step, now);
    note({ isRepeated: known !== undefined });
    if (!known) await limits.take('export', session.userId);
    const { next: places } = known ?? exports.begin(session.userId, step, now);
    const { rows, next = null } = await ownPage(section, { context, account, after, limit });
    places.set(section, next ?? undefined);
    return { section, rows: [...rows], next, sections: [...ownSections] };
  },
});
