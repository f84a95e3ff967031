import type { Digests } from './crypto/digests.ts';
import { newOneTimeCode, type OneTimeCode, oneTimeCodeDigest } from './one-time-code.ts';
import type { Store } from './ports/store.ts';

/**
 * Makes the code with which an account becomes the first administrator (`admin.claim`), for the one who starts the server: an
 * older one is dead from then on. Undefined when there is an administrator.
 */
export async function offerClaim(
  store: Pick<Store, 'offerClaim'>,
  digests: Digests,
): Promise<OneTimeCode | undefined> {
  const code = newOneTimeCode();
  const isOffered = await store.offerClaim({ codeHash: oneTimeCodeDigest(code, digests) });
  return isOffered ? code : undefined;
}
