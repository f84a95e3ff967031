import * as z from 'zod';
import { loggedInAlready } from '../errors.ts';
import type { DeviceId } from '../model/ids.ts';
import { operation } from '../operation.ts';
import { instant, username } from '../operations/shapes.ts';
import { mechanism } from './mechanism.ts';
import { endOnDevice } from './open-session.ts';

/**
 * Binds a connection to the session of a token; one text for every token that is not alive, or is not that of the
 * account that `username` or `user_id` names. That is a login at a door or an address where the session was not before, and otherwise
 * goes on with one. Another session on the caller's own `device` gives way to it, as to a new one (security 3).
 */
const resume = operation({
  name: 'login.resume',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    session_token: z.string().max(256),
    username: username.optional(),
    user_id: z.string().max(64).optional(),
    device: z.strictObject({ id: z.uuid() }).optional(),
  }),
  output: z.object({
    user_id: z.string(),
    username: z.string(),
    session_id: z.string(),
    expires_at: instant,
    device_id: z.string(),
  }),
  async handle(
    { session_token: token, username: name, user_id: userId, device },
    { services, peer, now, concerns, note },
  ) {
    if (peer.session) throw loggedInAlready();
    const session = await services.sessions.resume(peer, token, now, { username: name, userId });
    concerns(session.username);
    note({ details: { session: session.id }, isRepeated: !services.knownPlaces.isNew(session, peer) });
    if (device && device.id !== session.deviceId) await endOnDevice(services, device.id as DeviceId);
    return {
      user_id: session.userId,
      username: session.username,
      session_id: session.id,
      expires_at: new Date(services.sessions.expiresAt(session)).toISOString(),
      device_id: session.deviceId,
    };
  },
});

/** The token of a session that another login opened (security 3): good at every door. */
export const token = mechanism({
  name: 'token',
  shows: 'a session token, of which the server keeps the digest',
  operations: [resume],
});
