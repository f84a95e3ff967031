/** What stands on every answer over HTTP, refusals too (ASVS 3.4.3–3.4.6, 14.3.2); nothing of ours is for a browser to show. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/**
 * Over TLS alone, where browsers heed it (ASVS 3.4.1; RFC 6797 section 7.2): a year, for this name. Its subdomains may be
 * somebody else's.
 */
export const strictTransport: Readonly<Record<string, string>> = {
  'Strict-Transport-Security': 'max-age=31536000',
};
