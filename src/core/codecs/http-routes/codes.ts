import { type HttpRoute, httpRoute } from '../http-route.ts';

/** E-mail addresses, and the codes that confirm one or set a password. */
export const codeRoutes: readonly HttpRoute[] = [
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
      'Makes a code that sets a new password of another account, for its owner, with a fresh proof of the administrator.',
    operation: 'admin.reset',
    body: ['proof'],
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/admin/users/{username}/totp/off',
    summary:
      'Takes the second factor of another account away and ends its sessions, with a fresh proof of the administrator.',
    operation: 'admin.take-second-factor',
    body: ['proof'],
    status: 200,
  }),
];
