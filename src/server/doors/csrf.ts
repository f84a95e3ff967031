import type { IncomingHttpHeaders } from 'node:http';
import { ChatError } from '../../core/errors.ts';
import type { Peer } from '../../core/peer.ts';
import { readCookie } from './cookies.ts';
import type { Calls } from './door.ts';

/** A request whose session would come in a cookie, by its head alone. */
export interface CookieRequest {
  readonly peer: Peer;
  readonly headers: IncomingHttpHeaders;
  /** True when it came over TLS. */
  readonly isSecure: boolean;
}

/**
 * Refuses what another site's page has sent (spec K4; ASVS 3.5.1, 4.4.2): `forbidden` for an `Origin` that is not this server as
 * the request names it, and for `Sec-Fetch-Site: cross-site`. A client that is no browser sends neither and passes.
 */
export function refuseForeignSite({ headers, isSecure }: Pick<CookieRequest, 'headers' | 'isSecure'>): void {
  const { origin, host } = headers;
  const isForeign =
    origin !== undefined && origin !== originOf(`${isSecure ? 'https' : 'http'}://${host ?? ''}`);
  if (isForeign || headers['sec-fetch-site'] === 'cross-site') {
    throw new ChatError('forbidden', 'this request was made by a page of another site');
  }
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

/**
 * The one check of every protected page (spec K11): binds the session of the cookie to the request's peer, which is then who asks,
 * and sees its CSRF token. `unauthenticated` without a session, `forbidden` without that session's latest token.
 */
export async function requireSession(
  calls: Pick<Calls, 'identify' | 'call'>,
  { peer, headers, isSecure }: CookieRequest,
): Promise<void> {
  const token = readCookie(headers.cookie, 'session', isSecure);
  if (token === undefined)
    throw new ChatError('unauthenticated', 'log in first: POST /login sets the cookie');
  await calls.identify(peer, token);
  const csrf = headers['x-csrf-token'];
  await calls.call(peer, 'session.check-csrf-token', csrf === undefined ? {} : { csrf_token: csrf });
}
