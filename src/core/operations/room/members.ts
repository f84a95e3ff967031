import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { afterName, nextName, pageLimit, roomName } from '../shapes.ts';

/** Who is in a room, in order of name, a page at a time, each with whether they are online. */
export const members = operation({
  name: 'room.members',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({ room: roomName, after: afterName, limit: pageLimit.default(100) }),
  output: z.object({
    members: z.array(z.object({ username: z.string(), online: z.boolean() })),
    next: nextName,
  }),
  async handle({ room, after, limit }, { services }) {
    const names = await services.store.roomMembers({ room, after, limit });
    if (!names) throw new ChatError('not-found', `there is no room #${room}`, { field: 'room' });
    return {
      members: names.map((username) => ({ username, online: services.presence.isOnline(username) })),
      next: names.length < limit ? null : (names.at(-1) ?? null),
    };
  },
});
