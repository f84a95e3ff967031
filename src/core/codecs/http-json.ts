import { z } from 'zod';
import { instant } from '../operations/shapes.ts';
import { type HttpRoute, httpRoute } from './http-route.ts';

const openedSession = z.object({
  user_id: z.string(),
  username: z.string(),
  session_token: z.string(),
  refresh_token: z.string(),
  expires_at: instant,
  session_id: z.string(),
  device_id: z.string(),
});

/**
 * The HTTP API (document 2; five-systems, section 2), one entry for each request: adding one is adding it here. Who may ask,
 * what is checked and what it costs is the operation's.
 */
export const httpRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'POST',
    path: '/api/auth/register',
    summary: 'Makes an account and opens its first session.',
    operation: 'account.register',
    body: ['username', 'email', 'password', 'invite', 'device'],
    fixed: { open_session: true },
    status: 201,
    output: openedSession
      .omit({ session_token: true })
      .extend({ auth_token: z.string(), warning: z.string().optional() }),
    answer: ({ user_id, username, session, warning }) => {
      if (!session) throw new Error('a session was asked for');
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
      };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/login',
    summary: 'Opens a session with a name or an e-mail address and the password of an open account.',
    operation: 'login.password',
    body: ['username', 'email', 'password', 'device'],
    // There are no codes before there is a second factor.
    empty: { otp: 'no account has one-time codes here' },
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/auth/parameters',
    summary:
      'What a client needs before it can make a verifier or a proof: realm, cost, suite, identity key.',
    operation: 'account.begin-register',
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/challenge',
    summary: 'The first half of a challenge–response login: takes client-first, answers server-first.',
    operation: 'login.begin',
    body: ['message'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/proof',
    summary: 'The second half: takes client-final, answers server-final and a session.',
    operation: 'login.finish',
    body: ['exchange', 'message', 'device'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/refresh',
    summary: 'Trades a refresh token for a new pair of tokens.',
    operation: 'session.refresh',
    body: ['refresh_token'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/logout',
    summary: 'Ends the session; its token is dead everywhere at once.',
    operation: 'session.end',
    body: [],
    status: 204,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/auth/sessions',
    summary: "The account's sessions: device, door, address and times.",
    operation: 'session.list',
    status: 200,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/auth/sessions/{id}',
    summary: "Ends one of the account's sessions and closes its connections.",
    operation: 'session.revoke',
    status: 204,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/auth/sessions',
    summary: "Ends all of the account's sessions, this one too.",
    operation: 'session.revoke',
    fixed: { all: true },
    status: 204,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/account',
    summary: 'Who the token belongs to.',
    operation: 'account.me',
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/reset-request',
    summary:
      'Has a code that sets a new password sent to the confirmed address of an account; the answer is the same without one.',
    operation: 'account.request-reset',
    body: ['username', 'email'],
    status: 204,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/reset',
    summary: 'Sets a new password by a code and ends all sessions of the account.',
    operation: 'account.reset-password',
    body: ['code', 'username', 'password', 'hashed_password', 'verifier'],
    status: 200,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/account/email',
    summary: 'Gives the account another e-mail address, for a fresh proof of its secret.',
    operation: 'account.set-email',
    body: ['email', 'proof'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/email/verification',
    summary: "Has a code sent to the account's e-mail address that confirms it.",
    operation: 'account.request-email-verification',
    body: [],
    status: 200,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/account/email/verification',
    summary: "Confirms the account's e-mail address by the code that was sent there.",
    operation: 'account.verify-email',
    body: ['code'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/admin/users/{username}/reset',
    summary:
      'Makes a code that sets a new password of an account, for an administrator to give to its owner.',
    operation: 'admin.reset',
    body: [],
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/account/password',
    summary:
      'What a new verifier or hashed password of the account is made with, and what is asked of a password.',
    operation: 'account.begin-change-password',
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/password',
    summary: 'Changes the password, given a proof of the old one, and ends all other sessions.',
    operation: 'account.change-password',
    body: ['proof', 'password', 'hashed_password', 'verifier', 'privacy'],
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/users',
    summary: 'Who is online, or with `all=true` every account, in order of name, a page at a time.',
    operation: 'user.list',
    query: { all: 'flag', after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/rooms',
    summary: 'All rooms in order of name, a page at a time.',
    operation: 'room.list',
    query: { after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/rooms',
    summary: 'Makes a room with the caller in it.',
    operation: 'room.create',
    body: ['room'],
    status: 201,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/rooms/{room}/members',
    summary: 'Who is in a room, in order of name, a page at a time.',
    operation: 'room.members',
    query: { after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/rooms/{room}/members/me',
    summary: 'Enters a room.',
    operation: 'room.join',
    body: [],
    status: 200,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/rooms/{room}/members/me',
    summary: 'Leaves a room.',
    operation: 'room.leave',
    status: 204,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/conversations',
    summary: "The caller's conversations with their last message's number and the read marker.",
    operation: 'conversation.list',
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/conversations/{to}/messages',
    summary: 'A page of a conversation (`%23room` or `@user`) in order of `seq`.',
    operation: 'message.history',
    query: { after: 'number', before: 'number', limit: 'number', newest: 'flag' },
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/conversations/{to}/messages',
    summary:
      'Sends a message; answers when it is on disk. The same `Idempotency-Key` gets the first answer again.',
    operation: 'message.send',
    headers: { 'idempotency-key': 'key' },
    body: ['text', 'envelope'],
    status: 201,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/conversations/{to}/read',
    summary: 'Moves the read marker forward, never back.',
    operation: 'conversation.mark-read',
    body: ['seq'],
    status: 200,
  }),
];
