import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { roomName } from '../shapes.ts';

/** Leaves a room; its stream ends on all of the caller's connections. Nobody leaves the lobby. */
export const leave = operation({
  name: 'room.leave',
  access: 'session',
  cost: 'join',
  audited: true,
  overlaps: false,
  input: z.strictObject({ room: roomName }),
  output: z.object({ room: z.string() }),
  async handle({ room }, { services, session }) {
    const { store, bus } = services;
    const ref = { kind: 'room', room } as const;
    const view = await store.conversation({ userId: session.userId, ref });
    const outcome = await store.leaveRoom({ room, userId: session.userId });
    switch (outcome) {
      case 'missing':
        throw new ChatError('not-found', `there is no room #${room}`, { field: 'room' });
      case 'not-member':
        throw new ChatError('conflict', `you are not in #${room}`, { field: 'room' });
      case 'stays':
        throw new ChatError('forbidden', 'everybody is in the lobby, always', { field: 'room' });
      case 'left':
        if (!('kind' in view)) {
          const { userId, username: user } = session;
          bus.publish({ type: 'member-left', userId, user, conversation: view });
        }
        return { room: `#${room}` };
    }
  },
});
