import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import type { CallContext } from '../../operation.ts';
import { freshProof } from '../shapes.ts';

/** A fresh proof, or that the login on this very connection was made within the last minute. */
export const certificateProof = z.union([z.strictObject({ login: z.literal(true) }), freshProof], {
  error: 'give login: true, exchange and message, password, hashed_password or certificate: true',
});

/** Asks for what a stolen session does not have before a key is made good for as long as its owner likes (ASVS 7.5.1). */
export async function proveForCertificate(
  context: CallContext<'session'>,
  proof: z.output<typeof certificateProof> | undefined,
): Promise<void> {
  if (proof && !('login' in proof)) {
    await proveAgain(context, proof);
    return;
  }
  const { services, peer, now } = context;
  if (proof && services.freshLogins.take(peer, now)) return;
  throw new ChatError(
    'forbidden',
    'proof: a certificate takes a fresh proof, or a login on this connection within the last minute',
    { field: 'proof' },
  );
}
