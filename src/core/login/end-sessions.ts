import type { EndReason } from '../events.ts';
import type { SessionId, UserId } from '../model/ids.ts';
import type { Username } from '../model/username.ts';
import type { CallContext } from '../operation.ts';
import type { Peer } from '../peer.ts';
import type { Services } from '../services.ts';

/**
 * Ends every session of the caller's account but the caller's own, in the store, here and on every node (security 3; ASVS 7.4.3);
 * answers how many there were. Called after what they were opened with has been changed in the store, never before: what
 * was opened with the old in between would outlive it.
 */
export async function endOtherSessions(
  { services, session }: Pick<CallContext<'session'>, 'services' | 'session'>,
  reason: EndReason,
): Promise<number> {
  const ids = await endSessionsOf(
    services,
    { userId: session.userId, except: session.id, username: session.username },
    reason,
  );
  return ids.length;
}

/** Ends all sessions of an account but `except`; answers which. The name is for the audit trail. The connection `survivor` is logged out, and not closed. */
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
