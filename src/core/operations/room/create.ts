import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { roomName } from '../shapes.ts';
import { announceJoin } from './announce-join.ts';

/** Makes a room with the caller in it; `conflict` when there is one of this name. */
export const create = operation({
  name: 'room.create',
  access: 'session',
  cost: 'join',
  audited: true,
  overlaps: false,
  input: z.strictObject({ room: roomName }),
  output: z.object({ room: z.string() }),
  async handle({ room }, context) {
    const { services, session, now } = context;
    const outcome = await services.store.createRoom({ room, by: session.userId, now });
    if (outcome === 'taken')
      throw new ChatError('conflict', `there is a room #${room} already`, { field: 'room' });
    await announceJoin(context, room);
    return { room: `#${room}` };
  },
});
