import { type HttpRoute, httpRoute } from '../http-route.ts';

/** The account's sessions, and whose a token is. */
export const sessionRoutes: readonly HttpRoute[] = [
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
    method: 'PUT',
    path: '/api/auth/sessions/{id}',
    summary: "Names the device of one of the account's sessions.",
    operation: 'session.rename',
    body: ['device'],
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
];
