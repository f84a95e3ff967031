import type { HttpRoute } from './http-route.ts';
import { administrationRoutes } from './http-routes/administration.ts';
import { certificateRoutes } from './http-routes/certificates.ts';
import { challengeResponseRoutes } from './http-routes/challenge-response.ts';
import { codeRoutes } from './http-routes/codes.ts';
import { conversationRoutes } from './http-routes/conversations.ts';
import { credentialRoutes } from './http-routes/credentials.ts';
import { loginRoutes } from './http-routes/login.ts';
import { privacyRoutes } from './http-routes/privacy.ts';
import { roomRoutes } from './http-routes/rooms.ts';
import { sessionRoutes } from './http-routes/sessions.ts';

/**
 * The HTTP API (document 2; five-systems, section 2), one entry for each request, in files by subject: adding one is adding it
 * there. Who may ask, what is checked and what it costs is the operation's. The description of the API keeps this order.
 */
export const httpRoutes: readonly HttpRoute[] = [
  ...loginRoutes,
  ...certificateRoutes,
  ...challengeResponseRoutes,
  ...sessionRoutes,
  ...codeRoutes,
  ...credentialRoutes,
  ...privacyRoutes,
  ...roomRoutes,
  ...conversationRoutes,
  ...administrationRoutes,
];
