import * as z from 'zod';
import { operation } from '../../operation.ts';
import { afterName, nextName, pageLimit } from '../shapes.ts';

/** All rooms in order of name, a page at a time; `next` is the `after` of the next page, or null. */
export const list = operation({
  name: 'room.list',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ after: afterName, limit: pageLimit.default(100) }),
  output: z.object({
    rooms: z.array(
      z.object({ room: z.string(), members: z.number(), member: z.boolean(), last_seq: z.number() }),
    ),
    next: nextName,
  }),
  async handle({ after, limit }, { services, session }) {
    const rows = await services.store.rooms({
      userId: session.userId,
      after: after.replace(/^#/, ''),
      limit,
    });
    return {
      rooms: rows.map(({ room, members, isMember, lastSeq }) => ({
        room: `#${room}`,
        members,
        member: isMember,
        last_seq: lastSeq,
      })),
      next: rows.length < limit ? null : `#${rows.at(-1)?.room}`,
    };
  },
});
