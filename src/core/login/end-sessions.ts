import type { EndReason } from '../events.ts';
import type { SessionId, UserId } from '../model/ids.ts';
import type { Username } from '../model/username.ts';
import type { Peer } from '../peer.ts';
import type { Services } from '../services.ts';

/**
 * Ends all sessions of an account but `except`, in the store, here and on every node (security 3; ASVS 7.4.3); answers which. The name is for
 * the audit trail. The connection `survivor` is logged out, and not closed.
 */
export async function endSessionsOf(
  { store, sessions }: Pick<Services, 'store' | 'sessions'>,
  {
    userId,
    except,
    username,
  }: { readonly userId: UserId; readonly except?: SessionId; readonly username?: Username },
  reason: EndReason,
  survivor?: Peer,
): Promise<readonly SessionId[]> {
  const ids = await store.endSessions({ userId, ...(except && { except }) });
  sessions.ended(ids, reason, { ...(survivor && { survivor }), ...(username && { of: username }) });
  return ids;
}
