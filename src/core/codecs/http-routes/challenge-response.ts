import { type HttpRoute, httpRoute } from '../http-route.ts';

/** A login in which no password is sent. */
export const challengeResponseRoutes: readonly HttpRoute[] = [
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
    body: ['exchange', 'message', 'otp', 'device'],
    status: 200,
  }),
];
