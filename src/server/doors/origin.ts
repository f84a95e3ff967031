/** What is known of a request that a browser may have sent. */
export interface RequestOrigin {
  /** The `Origin` header; programs send none. */
  readonly origin: string | undefined;
  /** The `Host` header. */
  readonly host: string | undefined;
  readonly isSecure: boolean;
}

/** What an origin is made of, as browsers spell it (RFC 6454 section 6.2): scheme, host in lower case, port unless it is the scheme's own. */
export function parseOrigin(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(text)) return undefined;
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

/**
 * True when a request comes from no browser, from a page of this server, or from a page of one of the `allowed` origins.
 * `null`, which a browser says for a page without an origin, is never allowed (ASVS 4.4.2).
 */
export function isAllowedOrigin(
  { origin, host, isSecure }: RequestOrigin,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true;
  const from = parseOrigin(origin);
  if (from === undefined) return false;
  const own = parseOrigin(`${isSecure ? 'https' : 'http'}://${host ?? ''}`);
  return from === own || allowed.includes(from);
}
