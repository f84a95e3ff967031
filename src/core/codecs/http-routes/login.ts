import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { instant, issuedCertificate } from '../../operations/shapes.ts';
import { type HttpRoute, httpRoute } from '../http-route.ts';

const openedSession = z.object({
  user_id: z.string(),
  username: z.string(),
  session_token: z.string(),
  refresh_token: z.string(),
  expires_at: instant,
  session_id: z.string(),
  device_id: z.string(),
});

/** Registering and logging in, each in one request. */
export const loginRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'POST',
    path: '/api/auth/register',
    summary: 'Makes an account and opens its first session.',
    operation: 'account.register',
    body: [
      'username',
      'email',
      'password',
      'certificate_request',
      'certificate',
      'certificate_label',
      'invite',
      'device',
      'accept_terms',
    ],
    fixed: { open_session: true },
    status: 201,
    output: openedSession.omit({ session_token: true }).extend({
      auth_token: z.string(),
      warning: z.string().optional(),
      certificate: issuedCertificate.optional(),
    }),
    answer: ({ user_id, username, session, warning, certificate }) => {
      // A certificate that was asked for again comes without one.
      if (!session) throw new ChatError('conflict', 'this username is taken already', { field: 'username' });
      const { session_token: auth_token, refresh_token, expires_at, session_id, device_id } = session;
      return {
        user_id,
        username,
        auth_token,
        refresh_token,
        expires_at,
        session_id,
        device_id,
        ...(warning !== undefined && { warning }),
        ...(certificate && { certificate }),
      };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/login',
    summary: 'Opens a session with a name or an e-mail address and the password of an open account.',
    operation: 'login.password',
    body: ['username', 'email', 'password', 'otp', 'device'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/certificate',
    summary: 'Opens a session with the client certificate that the connection has shown.',
    operation: 'login.certificate',
    body: ['username', 'otp', 'device'],
    status: 200,
  }),
];
