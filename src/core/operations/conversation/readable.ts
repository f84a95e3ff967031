import type { ConversationRef } from '../../model/conversation-name.ts';
import type { ConversationView } from '../../model/message.ts';
import type { CallContext } from '../../operation.ts';
import { refused } from './refused.ts';

/**
 * The conversation that the caller means, to look into it; undefined for two who have not written to each other, since looking begins
 * nothing. Throws `not-found` and `forbidden` as {@link refused} says.
 */
export async function readable(
  { services, session }: Pick<CallContext<'session'>, 'services' | 'session'>,
  to: ConversationRef,
): Promise<ConversationView | undefined> {
  const found = await services.store.conversation({ userId: session.userId, ref: to });
  if (!('kind' in found)) return found;
  if (found.kind === 'unwritten') return undefined;
  throw refused(found, to);
}
