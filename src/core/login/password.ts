import * as z from 'zod';
import { fitsVerifier, verifierOrFake } from '../crypto/verifier.ts';
import { badPassword, loggedInAlready } from '../errors.ts';
import type { Username } from '../model/username.ts';
import { operation } from '../operation.ts';
import {
  deviceClaim,
  email,
  openedSession,
  optionalOtp,
  password as passwordShape,
  username,
} from '../operations/shapes.ts';
import { mechanism } from './mechanism.ts';
import { openOrWait } from './open-or-wait.ts';
import { raiseShown } from './raise-verifier.ts';
import { stretchFor } from './stretch-for.ts';

/** Stands in for the name of an e-mail address that belongs to nobody, so that the same work is done for it. */
const nobody = 'nobody' as Username;

/**
 * Logs in with a password that the server is shown. One answer, after the same work, for an unknown name, a wrong password and
 * a private account's password, which is accepted from no door that shows it (security 1.8 and 1.10).
 */
const loginPassword = operation({
  name: 'login.password',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z
    .strictObject({
      username: username.optional(),
      email: email.optional(),
      password: passwordShape,
      otp: optionalOtp,
      device: deviceClaim.optional(),
      ends_with_connection: z.boolean().default(false),
    })
    .refine((input) => (input.username === undefined) !== (input.email === undefined), {
      error: 'give either username or email',
      path: ['username'],
    }),
  output: openedSession,
  async handle(input, context) {
    const { username: named, email: address, password: secret, device, otp } = input;
    const { services, peer, concerns } = context;
    const { store, settings, policy, digests } = services;
    if (peer.session) throw loggedInAlready();
    const owner = address === undefined ? named : await store.usernameByEmail(address);
    if (owner !== undefined) concerns(owner);
    const name = owner ?? nobody;
    const given = named ?? address?.toLowerCase() ?? nobody;
    const judging = async () => {
      const row = await store.credential(name);
      const found = owner === undefined ? undefined : row;
      const verifier = verifierOrFake(
        found?.verifier,
        settings.serverSecret,
        name,
        policy.bcryptCost,
        digests,
      );
      const { salt, cost } = verifier;
      const authSecret = await stretchFor(context, { username: name, password: secret, salt, cost });
      const fits = fitsVerifier(authSecret, verifier, digests);
      if (!fits || found?.account.privacy !== 'open') throw badPassword();
      const fitting = { ...found, refusal: badPassword };
      const wishes = { device, otp, endsWithConnection: input.ends_with_connection };
      const proven = await openOrWait(context, fitting, wishes, given);
      raiseShown(context, proven, secret);
      return proven.answer;
    };
    return services.failures.guard(given, peer, judging, owner);
  },
});

/** The plain password: documents 2, 4 and 5, and an opaque secret of document 1. */
export const password = mechanism({
  name: 'password',
  shows: 'the password itself',
  operations: [loginPassword],
});
