import { ChatError } from '../../errors.ts';
import { type FreshProof, proveAgain } from '../../login/fresh-proof.ts';
import type { CallContext } from '../../operation.ts';
import { keysAfterLoginMs } from '../../policy.ts';

/**
 * Checks the proof that comes with a call about keys. Without one only a login of a short while ago will do; who has but found a session has
 * neither. Throws `forbidden` with `why`.
 */
export async function proveOwner(
  context: CallContext<'session'>,
  proof: FreshProof | undefined,
  why: string,
): Promise<void> {
  const { session, now } = context;
  if (proof) await proveAgain(context, proof);
  else if (now - session.createdAt > keysAfterLoginMs) {
    throw new ChatError('forbidden', `this login is too old ${why}: give proof, or log in again`, {
      field: 'proof',
    });
  }
}

/** The same for what takes a fresh proof, however young the login is. Throws `forbidden` saying `what` does. */
export async function proveAnew(
  context: CallContext<'session'>,
  proof: FreshProof | undefined,
  what: string,
): Promise<void> {
  if (!proof) {
    throw new ChatError('forbidden', `${what} takes a proof of the password: give proof`, { field: 'proof' });
  }
  await proveAgain(context, proof);
}
