import { ChatError } from '../../errors.ts';
import type { Admission } from '../../model/invite.ts';
import { oneTimeCodeDigest, parseOneTimeCode } from '../../one-time-code.ts';
import type { CallContext } from '../../operation.ts';
import type { RegistrationMode } from '../../policy.ts';

/**
 * Who may register, at every door: everybody where registration is open; otherwise who brings an invite, where those count, or the
 * code for the first administrator, while there is none. Answers what the store has to take for the account, undefined where
 * nothing is needed; throws `forbidden`, with one text for every code that is not good.
 */
export async function admitRegistration(
  { services, now }: Pick<CallContext, 'services' | 'now'>,
  invite: string | undefined,
): Promise<Admission | undefined> {
  const { registration } = services.policy;
  if (registration === 'open') return undefined;
  // A form may always have its fields: an empty one is none.
  if (invite === undefined || invite === '') {
    if (registration === 'closed') throw new ChatError('forbidden', 'registration is closed on this server');
    throw new ChatError('forbidden', 'an invite is needed to register on this server: ask an administrator', {
      field: 'invite',
    });
  }
  const code = parseOneTimeCode(invite);
  if (!code) throw notAdmitted(registration);
  const codeHash = oneTimeCodeDigest(code, services.digests);
  const admission = { codeHash, takesInvites: registration === 'invite', now };
  // Looked up before a password is stretched for nothing; what holds is decided with the account's making.
  if (!(await services.store.isAdmitted(admission))) throw notAdmitted(registration);
  return admission;
}

/**
 * One text for a code that was mistyped, used up, is over or was taken back. Where registration is closed no invite is good, and what is
 * asked for is the code for the first administrator.
 */
export function notAdmitted(registration: RegistrationMode): ChatError {
  const text =
    registration === 'closed'
      ? 'registration is closed on this server, and this is no code for its first administrator'
      : 'this invite is not good: it may be mistyped, used, over or taken back';
  return new ChatError('forbidden', text, { field: 'invite' });
}
