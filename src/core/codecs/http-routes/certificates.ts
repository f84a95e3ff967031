import { type HttpRoute, httpRoute } from '../http-route.ts';

/** The account's own certificates. */
export const certificateRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/auth/certificates',
    summary: "The account's certificates: key, times, and which one this connection has shown.",
    operation: 'certificate.list',
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/certificates',
    summary: 'Signs a certificate for the account over the key of a request (PKCS#10).',
    operation: 'certificate.issue',
    body: ['request', 'label', 'proof'],
    status: 201,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/auth/certificates/shown',
    summary: 'Lets the account log in with the certificate from elsewhere that the connection has shown.',
    operation: 'certificate.add',
    body: ['label', 'proof'],
    status: 201,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/auth/certificates/{id}',
    summary: "Revokes one of the account's certificates and ends the sessions that were opened with it.",
    operation: 'certificate.revoke',
    status: 204,
  }),
];
