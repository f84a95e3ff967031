import { ChatError } from '../../errors.ts';
import { type ConversationRef, conversationName } from '../../model/conversation-name.ts';
import type { ConversationRefusal } from '../../ports/store/conversations.ts';

/** The error for a conversation that the caller cannot use; a room's existence is no secret, its messages are. */
export function refused({ kind }: ConversationRefusal, ref: ConversationRef): ChatError {
  const name = conversationName(ref);
  switch (kind) {
    case 'no-room':
      return new ChatError('not-found', `there is no room ${name}`, { field: 'to' });
    case 'no-user':
      return new ChatError('not-found', `there is no user ${name}`, { field: 'to' });
    case 'not-member':
      return new ChatError('forbidden', `you are not in ${name}: join it first`, { field: 'to' });
  }
}
