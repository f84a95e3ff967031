import { ChatError } from '../../core/errors.ts';

/** How long a browser keeps the device's cookie, in seconds: 400 days, the most that browsers grant. */
const deviceSeconds = 400 * 24 * 3_600;

const names = { session: 'session_token', device: 'chat_device' } as const;

/** One of our cookies. */
export type CookieName = keyof typeof names;

/**
 * What a cookie of ours is called (spec K6): over TLS with the prefix that makes browsers take it only with Secure, for the whole
 * host, and from nobody else (RFC 6265bis section 4.1.3.2; ASVS 3.3.1).
 */
function cookieName(name: CookieName, isSecure: boolean): string {
  return isSecure ? `__Host-${names[name]}` : names[name];
}

/**
 * Reads one of our cookies from a `Cookie` header; undefined when it is not there. `invalid` when it is there twice: one of
 * them is somebody else's, and nothing says which.
 */
export function readCookie(
  header: string | undefined,
  name: CookieName,
  isSecure: boolean,
): string | undefined {
  const wanted = cookieName(name, isSecure);
  const values = (header ?? '').split(';').flatMap((pair) => {
    const end = pair.indexOf('=');
    return end >= 0 && pair.slice(0, end).trim() === wanted ? [pair.slice(end + 1).trim()] : [];
  });
  if (values.length > 1) {
    throw new ChatError('invalid', `cookie ${wanted}: it was sent twice`, { field: wanted });
  }
  return values[0] === '' ? undefined : values[0];
}

/**
 * Sets the session's cookie, or takes it away when `token` is null (ASVS 3.3.1–3.3.4). It lasts as long as the browser runs: when
 * the session ends is the server's to say.
 */
export function sessionCookie(token: string | null, isSecure: boolean): string {
  return spelled('session', token ?? '', isSecure, token === null ? 0 : undefined);
}

/** Sets the device's cookie, which outlives sessions. */
export function deviceCookie(id: string, isSecure: boolean): string {
  return spelled('device', id, isSecure, deviceSeconds);
}

function spelled(
  name: CookieName,
  value: string,
  isSecure: boolean,
  maxAgeSeconds: number | undefined,
): string {
  return [
    `${cookieName(name, isSecure)}=${value}`,
    'Path=/',
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
    'HttpOnly',
    'SameSite=Lax',
    ...(isSecure ? ['Secure'] : []),
  ].join('; ');
}
