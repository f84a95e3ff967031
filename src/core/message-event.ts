import type { ChatEvent } from './events.ts';
import { type ConversationName, type ConversationRef, conversationName } from './model/conversation-name.ts';
import type { StoredMessage } from './model/message.ts';
import type { Username } from './model/username.ts';

/** Who reads which conversation: what a message needs to become an event. */
export interface Reading {
  readonly to: ConversationName;
  /** The two ends of a direct conversation as its reader sees them; undefined for a room. */
  readonly direct: { readonly peer: Username; readonly reader: Username } | undefined;
}

/** A conversation as `reader` reads it. */
export function readingOf(ref: ConversationRef, reader: Username): Reading {
  return {
    to: conversationName(ref),
    direct: ref.kind === 'direct' ? { peer: ref.peer, reader } : undefined,
  };
}

/** A stored message as its reader is told of it. */
export function messageEvent({ to, direct }: Reading, message: StoredMessage): ChatEvent {
  return {
    type: 'message',
    to,
    recipient: direct && (message.sender === direct.peer ? direct.reader : direct.peer),
    seq: message.seq,
    id: message.id,
    sender: message.sender,
    sentAt: message.sentAt,
    body: message.body,
  };
}
