import { fromBase64url, toBase64url } from './bytes.ts';

/** What every hashed password begins with: the version of its derivation (five-systems, section 1). */
export const hashedPasswordPrefix = 'v1.';

const secretBytes = 32;

/** The canonical form of an AuthSecret where a client shows it instead of its password: `v1.` and 32 bytes in base64url. */
export function formatHashedPassword(authSecret: Uint8Array): string {
  return hashedPasswordPrefix + toBase64url(authSecret);
}

/** The AuthSecret in a hashed password; undefined for every text that {@link formatHashedPassword} does not write. */
export function parseHashedPassword(text: string): Uint8Array | undefined {
  if (!text.startsWith(hashedPasswordPrefix)) return undefined;
  const secret = fromBase64url(text.slice(hashedPasswordPrefix.length));
  return secret?.length === secretBytes ? secret : undefined;
}
