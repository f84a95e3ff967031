import type { ConversationId } from '../../core/model/ids.ts';
import type { AppendedMessage, NewMessage } from '../../core/ports/store/messages.ts';

/** What storing `message` came to, when it was stored. */
export function storedOutcome(
  message: NewMessage,
  conversation: ConversationId,
  seq: number,
): AppendedMessage {
  const { id, sender, to, sentAt } = message;
  return {
    kind: 'stored',
    conversation,
    audience:
      to.kind === 'room' ? { kind: 'room', room: to.room } : { kind: 'direct', users: [sender, to.peer] },
    id,
    seq,
    sentAt,
  };
}
