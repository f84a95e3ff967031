import { type HttpRoute, httpRoute } from '../http-route.ts';

/** The password and the second factor. */
export const credentialRoutes: readonly HttpRoute[] = [
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
    method: 'POST',
    path: '/api/account/totp',
    summary: 'Begins to set up a second factor: answers its secret, for an authenticator app.',
    operation: 'account.totp-begin',
    body: ['proof', 'issuer'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/totp/confirm',
    summary: 'Turns the second factor on, for a code of it; answers the recovery codes.',
    operation: 'account.totp-confirm',
    body: ['code'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/totp/off',
    summary: 'Turns the second factor off.',
    operation: 'account.totp-off',
    body: ['proof'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/recovery-codes',
    summary: 'Makes new recovery codes in the place of all from before.',
    operation: 'account.recovery-codes',
    body: ['proof'],
    status: 200,
  }),
];
