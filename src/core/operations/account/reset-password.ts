import { z } from 'zod';
import { deadCode } from '../../codes.ts';
import { newCredential } from '../../login/new-credential.ts';
import { nextSaltAndCost } from '../../login/next-salt.ts';
import { checkNewPassword } from '../../new-password.ts';
import { oneTimeCodeDigest } from '../../one-time-code.ts';
import { operation } from '../../operation.ts';
import { hashedPassword, oneTimeCode, password, username, verifier } from '../shapes.ts';

const input = z
  .strictObject({
    code: oneTimeCode,
    username: username.optional(),
    verifier: verifier.optional(),
    hashed_password: hashedPassword.optional(),
    password: password.optional(),
  })
  .superRefine((given, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const secrets = [given.verifier, given.hashed_password, given.password].filter(
      (secret) => secret !== undefined,
    );
    if (secrets.length !== 1) refuse('password', 'give one of password, hashed_password and verifier');
    // What a client makes of its password has the name in it: for another name it would open nothing.
    if (given.username === undefined && given.password === undefined) {
      refuse('username', 'give the one that the secret was made for');
    }
  });

/**
 * Sets a new password for the account that a code was made for, by mail or by an administrator, and uses the code up. All
 * sessions end. A second factor stays, and the next login asks for it. From a verifier or a hashed password the account is private
 * then, made with what `login.salt` tells for the name; from a password open. `not-found`, with one text, for a code that is unknown, used, too old or
 * another account's than the one that is named.
 */
export const resetPassword = operation({
  name: 'account.reset-password',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input,
  output: z.object({ username: z.string(), warning: z.string().optional() }),
  async handle(given, context) {
    const { services, peer, now, concerns } = context;
    const { store, digests, sessions, mailing } = services;
    const hash = oneTimeCodeDigest(given.code, digests);
    const owner = await store.accountOfResetCode({ hash, now });
    if (!owner || (given.username !== undefined && given.username !== owner.username)) throw deadCode();
    const { username: name } = owner;
    concerns(name);
    const warning =
      given.password &&
      (await checkNewPassword(services.policy, { username: name, password: given.password }));
    const told = (await store.credential(name))?.verifier ?? nextSaltAndCost(services, name, undefined);
    const { verifier: made, privacy } = await newCredential(context, name, given, told);
    const reset = await store.resetPassword({ hash, now, verifier: made, privacy });
    if (!reset) throw deadCode();
    // Its owner is not to wait for what others, or he, have tried with the old one.
    await services.failures.forget([name, ...(owner.email === null ? [] : [owner.email.toLowerCase()])]);
    sessions.ended(reset.ended, 'credentials-changed', { survivor: peer, of: name });
    mailing?.passwordReset(reset.account, now);
    return { username: name, ...(warning !== undefined && { warning }) };
  },
});
