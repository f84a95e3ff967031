import { ChatError } from '../core/errors.ts';
import { conversationName, parseConversationName } from '../core/model/conversation-name.ts';

/** Where reading begins: so many before the end, at a moment (RFC 3339), after a message, after a position, or at the end. */
export type StartingPoint =
  | { readonly last: number }
  | { readonly since: string }
  | { readonly after_id: string }
  | { readonly after: number }
  | { readonly now: true };

/** The one spelling of a conversation's name, as the server spells it; throws `invalid` naming `to`. */
export function canonicalName(to: string): string {
  return conversationName(parseConversationName(to));
}

/** A starting point as parameters of `conversation.follow`; to begin at the end is its default. */
export function startParams(from: StartingPoint): object {
  return 'now' in from ? {} : from;
}

/** The same for all own conversations together, where a position in one of them means nothing; throws `invalid` naming `from`. */
export function startParamsForAll(from: StartingPoint): object {
  if ('after' in from || 'after_id' in from) {
    throw new ChatError('invalid', 'from: a position belongs to one conversation: name it', {
      field: 'from',
    });
  }
  return startParams(from);
}
