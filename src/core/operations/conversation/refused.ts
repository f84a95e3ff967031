import { ChatError } from '../../errors.ts';
import type { ConversationRefusal } from '../../ports/store.ts';

/** The error for a conversation that the caller cannot use; a room's existence is no secret, its messages are. */
export function refused(refusal: ConversationRefusal): ChatError {
  switch (refusal.kind) {
    case 'no-room':
      return new ChatError('not-found', 'to: there is no such room', { field: 'to' });
    case 'no-user':
      return new ChatError('not-found', 'to: there is no such user', { field: 'to' });
    case 'not-member':
      return new ChatError('forbidden', 'to: join the room first', { field: 'to' });
  }
}
