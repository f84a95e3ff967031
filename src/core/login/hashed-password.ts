import * as z from 'zod';
import { toBase64 } from '../crypto/bytes.ts';
import { fitsVerifier, verifierOrFake } from '../crypto/verifier.ts';
import { badCredentials, loggedInAlready } from '../errors.ts';
import { operation } from '../operation.ts';
import {
  deviceClaim,
  hashedPassword as hashedShape,
  openedSession,
  optionalOtp,
  username,
} from '../operations/shapes.ts';
import { mechanism } from './mechanism.ts';
import { openOrWait } from './open-or-wait.ts';

/**
 * What a client needs to hash a password by itself: the realm, and the name's salt and cost. A name without an account has
 * them too, the same each time, and registers with them (five-systems, section 1).
 */
const salt = operation({
  name: 'login.salt',
  access: 'anyone',
  cost: 'login',
  audited: false,
  overlaps: false,
  input: z.strictObject({ username }),
  output: z.object({ realm: z.string(), suite: z.string(), salt: z.string(), cost: z.number() }),
  async handle({ username: name }, { services }) {
    const { store, settings, policy, digests } = services;
    const found = await store.credential(name);
    const verifier = verifierOrFake(found?.verifier, settings.serverSecret, name, policy.bcryptCost, digests);
    return {
      realm: settings.realm,
      suite: verifier.suite,
      salt: toBase64(verifier.salt),
      cost: verifier.cost,
    };
  },
});

/**
 * Logs in with what a client has made of its password (`v1.` and the AuthSecret): the server is not shown the password, but
 * whoever sees this secret can log in with it. One answer for an unknown name and a wrong secret.
 */
const loginHashedPassword = operation({
  name: 'login.hashed-password',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    username,
    hashed_password: hashedShape,
    otp: optionalOtp,
    device: deviceClaim.optional(),
  }),
  output: openedSession,
  async handle({ username: name, hashed_password: authSecret, device, otp }, context) {
    const { services, peer, concerns } = context;
    const { store, settings, policy, digests } = services;
    if (peer.session) throw loggedInAlready();
    concerns(name);
    return services.failures.guard(name, peer, async () => {
      const found = await store.credential(name);
      const verifier = verifierOrFake(
        found?.verifier,
        settings.serverSecret,
        name,
        policy.bcryptCost,
        digests,
      );
      const fits = fitsVerifier(authSecret, verifier, digests);
      if (!fits || !found) throw badCredentials();
      const proven = { ...found, refusal: badCredentials };
      return (await openOrWait(context, proven, { device, otp })).answer;
    });
  },
});

/** The canonical `hashed_pwd` of document 1. */
export const hashedPassword = mechanism({
  name: 'hashed-password',
  shows: 'a secret made of the password, good for logging in here; never the password',
  operations: [salt, loginHashedPassword],
});
