import { type HttpRoute, httpRoute } from '../http-route.ts';

/** What is kept about an account, what it has accepted, and its end. */
export const privacyRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/account/export',
    summary: 'What is kept about the account, a page of a section at a time.',
    operation: 'account.export',
    query: { section: 'text', after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/erase',
    summary: 'Puts the account down to be erased, with a fresh proof, and ends its sessions.',
    operation: 'account.erase',
    body: ['proof'],
    status: 200,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/account/erase',
    summary: 'Keeps an account that was to be erased.',
    operation: 'account.cancel-erase',
    status: 204,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/account/terms',
    summary: 'Accepts the terms of the server as they are now.',
    operation: 'account.accept-terms',
    body: ['accept_terms'],
    status: 200,
  }),
];
