import * as z from 'zod';
import { deadCode } from '../../codes.ts';
import { issuedAnswer, keyTaken } from '../../login/issue-certificate.ts';
import { newCredential } from '../../login/new-credential.ts';
import { nextSaltAndCost } from '../../login/next-salt.ts';
import { checkNewPassword } from '../../new-password.ts';
import { oneTimeCodeDigest } from '../../one-time-code.ts';
import { operation } from '../../operation.ts';
import {
  hashedPassword,
  issuedCertificate,
  label,
  oneTimeCode,
  password,
  signingRequest,
  username,
  verifier,
} from '../shapes.ts';
import { checkOneSecret, refuseIn } from './one-secret.ts';

const input = z
  .strictObject({
    code: oneTimeCode,
    username: username.optional(),
    verifier: verifier.optional(),
    hashed_password: hashedPassword.optional(),
    password: password.optional(),
    certificate_request: signingRequest.optional(),
    certificate_label: label.optional(),
  })
  .superRefine((given, context) => {
    const refuse = refuseIn(context);
    const ways = ['password', 'hashed_password', 'verifier', 'certificate_request'] as const;
    checkOneSecret(given, ways, refuse);
    if (given.certificate_label !== undefined && !given.certificate_request) {
      refuse('certificate_label', 'only a certificate has one');
    }
    // What a client makes of its password has the name in it: for another name it would open nothing.
    if (given.username === undefined && given.password === undefined) {
      refuse('username', 'give the one that the secret was made for');
    }
  });

/**
 * Sets a new password for the account that a code was made for, by mail or by an administrator, and uses the code up. All sessions
 * end, and all certificates are revoked: who has lost a key comes by this way too, with a request for a new one in the place of a
 * password. A second factor stays, and the next login asks for it. From a verifier or a hashed password the account is private then,
 * made with what `login.salt` tells for the name; from a password open. `not-found`, with one text, for a code that is unknown, used,
 * too old or another account's than the one that is named.
 */
export const resetPassword = operation({
  name: 'account.reset-password',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input,
  output: z.object({
    username: z.string(),
    warning: z.string().optional(),
    certificate: issuedCertificate.optional(),
  }),
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
    const { verifier: made, privacy, certificate, signed } = await newCredential(context, name, given, told);
    if (certificate && (await store.certificateByKey({ keyHash: certificate.keyHash }))) throw keyTaken();
    const reset = await store.resetPassword({ hash, now, verifier: made, privacy, certificate });
    if (!reset) throw deadCode();
    // Its owner is not to wait for what others, or he, have tried with the old one.
    await services.failures.forget([name, ...(owner.email === null ? [] : [owner.email.toLowerCase()])]);
    sessions.ended(reset.ended, 'credentials-changed', { survivor: peer, of: name });
    mailing?.passwordReset(reset.account, now);
    return {
      username: name,
      ...(warning !== undefined && { warning }),
      ...(signed && { certificate: issuedAnswer(signed) }),
    };
  },
});
