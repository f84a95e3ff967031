import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { roomName } from '../shapes.ts';
import { announceJoin } from './announce-join.ts';

/** Enters a room; every room is open. `joined` is false for one who was in it already. */
export const join = operation({
  name: 'room.join',
  access: 'session',
  cost: 'join',
  audited: true,
  overlaps: false,
  input: z.strictObject({ room: roomName }),
  output: z.object({ room: z.string(), joined: z.boolean() }),
  async handle({ room }, context) {
    const { services, session, now } = context;
    const outcome = await services.store.joinRoom({ room, userId: session.userId, now });
    if (outcome === 'missing')
      throw new ChatError('not-found', `there is no room #${room}`, { field: 'room' });
    if (outcome === 'joined') await announceJoin(context, room);
    return { room: `#${room}`, joined: outcome === 'joined' };
  },
});
