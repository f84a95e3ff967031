import type { RoomName } from '../../model/conversation-name.ts';
import type { CallContext } from '../../operation.ts';

/** Tells every node that the caller is in a room now, so that connections that follow everything follow it too. */
export async function announceJoin(
  { services, session }: CallContext<'session'>,
  room: RoomName,
): Promise<void> {
  const view = await services.store.conversation({
    userId: session.userId,
    ref: { kind: 'room', room },
  });
  if ('kind' in view) return;
  const { userId, username: user } = session;
  services.bus.publish({ type: 'member-joined', userId, user, conversation: view });
}
