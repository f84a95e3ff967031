import { ChatError } from './errors.ts';
import type { CallContext } from './operation.ts';
import type { Consent } from './ports/store/own-data.ts';

/** How a form says yes, besides the digest of what was read. */
const yes: ReadonlySet<boolean | string> = new Set([true, 'true', 'on', 'yes', '1']);

/**
 * What is kept of an acceptance; undefined where there is nothing to accept. `forbidden` for who has not accepted, `conflict` for
 * who has accepted another text.
 */
export function consentOf(
  { services: { terms }, peer, now }: CallContext,
  accepted: boolean | string | undefined,
): Consent | undefined {
  if (terms === undefined) return undefined;
  const consent: Consent = { digest: terms.sha256, at: now, door: peer.door };
  if (accepted === terms.sha256 || (accepted !== undefined && yes.has(accepted))) return consent;
  if (typeof accepted === 'string' && /^[0-9a-f]{64}$/.test(accepted)) {
    throw new ChatError(
      'conflict',
      'accept_terms: these are not the terms of this server any more: read them anew',
      {
        field: 'accept_terms',
      },
    );
  }
  throw new ChatError(
    'forbidden',
    'only who accepts the terms of this server can register: `chat register` and /api/auth/parameters show them',
    { field: 'accept_terms' },
  );
}
