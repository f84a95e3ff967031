import * as z from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { ChatError } from '../../errors.ts';
import { proveAgain } from '../../login/fresh-proof.ts';
import { nextVerifier } from '../../login/next-verifier.ts';
import { changedMeanwhile } from '../../login/open-session.ts';
import { checkNewPassword } from '../../new-password.ts';
import { operation } from '../../operation.ts';
import { freshProof, hashedPassword, password, sealedKeys, verifier } from '../shapes.ts';
import { checkOneSecret, refuseIn } from './one-secret.ts';

const input = z
  .strictObject({
    proof: freshProof,
    verifier: verifier.optional(),
    hashed_password: hashedPassword.optional(),
    password: password.optional(),
    privacy: z.enum(['private', 'open']).optional(),
    keys: z
      .strictObject({
        version: z.number().int().min(1),
        contents: sealedKeys,
        recovery_wrap: sealedKeys,
        password_wrap: sealedKeys.optional(),
      })
      .optional(),
  })
  .superRefine((given, context) => {
    const refuse = refuseIn(context);
    checkOneSecret(given, ['password', 'hashed_password', 'verifier'], refuse);
    if (given.password !== undefined && given.privacy === 'private') {
      refuse('privacy', 'a password that is shown here makes an open account: give a verifier');
    }
    const isOpen = given.privacy === 'open' || (given.privacy === undefined && given.password !== undefined);
    if (given.keys?.password_wrap !== undefined && isOpen)
      refuse('keys', 'nothing is sealed with the password of an open account: the server may see it');
  });

/**
 * Changes the password of the caller's account: a fresh proof of the old one (ASVS 6.2.3), and the new one in any form that a
 * registration takes. With a password the account is open; with the other forms it is private unless `privacy` says otherwise
 * (security 1.10). All other sessions end (ASVS 7.4.3), and so does what was begun with the old password. Of two changes at once one
 * is a `conflict`. In the same step `keys` has the backup of the account's keys sealed anew and wrapped by the new password; without it the
 * recovery key alone opens the backup.
 */
export const changePassword = operation({
  name: 'account.change-password',
  access: 'session',
  cost: 'login',
  audited: true,
  overlaps: false,
  input,
  output: z.object({
    privacy: z.enum(['private', 'open']),
    ended_sessions: z.number(),
    warning: z.string().optional(),
  }),
  async handle({ proof, privacy: wished, keys, ...given }, context) {
    const { services, session, now, note } = context;
    const { username, userId } = session;
    const warning =
      given.password && (await checkNewPassword(services.policy, { username, password: given.password }));
    const privacy = wished ?? (given.password === undefined ? 'private' : 'open');
    const proven = await proveAgain(context, proof, async ({ account, verifier: current }) => {
      const made = await nextVerifier(context, { username, current, given });
      if (privacy === 'private' && account.privacy === 'open') refuseShown(made.storedKey, current.storedKey);
      return made;
    });
    const { account, verifier: current, prepared: next } = proven;
    const ended = await services.store.changeCredential({
      userId,
      replaces: current.storedKey,
      verifier: next,
      privacy,
      keys,
      except: session.id,
    });
    if (!ended) throw changedMeanwhile();
    note({ details: { privacy } });
    services.sessions.ended(ended, 'credentials-changed', { of: username });
    services.mailing?.passwordChanged(account, now);
    return { privacy, ended_sessions: ended.length, ...(warning !== undefined && { warning }) };
  },
});

/** A private account's password has been shown to no server: the one that was is known here. */
function refuseShown(next: Uint8Array, current: Uint8Array): void {
  if (!equalDigests(next, current)) return;
  throw new ChatError('invalid', 'password: the server has seen this one: a private account needs another', {
    field: 'password',
  });
}
