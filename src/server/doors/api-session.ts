import { badToken, ChatError } from '../../core/errors.ts';
import { readCookie } from './cookies.ts';
import { type CookieRequest, refuseForeignSite, requireSession } from './csrf.ts';
import type { Calls } from './door.ts';

/**
 * Finds out who asks the API: by `Authorization: Bearer`, or for a page by its cookie, which for anything but GET needs what
 * every page of the cookie workflow needs (spec K11). `unauthenticated` with neither.
 */
export async function requireApiSession(
  calls: Pick<Calls, 'identify' | 'call'>,
  request: CookieRequest & { readonly method: string },
): Promise<void> {
  const { method, peer, headers, isSecure } = request;
  if (headers.authorization !== undefined) {
    await calls.identify(peer, bearerToken(headers.authorization));
    return;
  }
  const token = readCookie(headers.cookie, 'session', isSecure);
  if (token === undefined) {
    throw new ChatError('unauthenticated', 'log in first, and send Authorization: Bearer SESSION-TOKEN');
  }
  if (method === 'GET' || method === 'HEAD') {
    await calls.identify(peer, token);
    return;
  }
  refuseForeignSite(request);
  await requireSession(calls, request);
}

/** The token of `Authorization: Bearer …` (RFC 6750 section 2.1). */
function bearerToken(header: string): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (token === undefined) throw badToken();
  return token;
}
