import * as z from 'zod';
import { fakeVerifier } from '../crypto/verifier.ts';
import { badCertificate, loggedInAlready } from '../errors.ts';
import { type CallContext, operation } from '../operation.ts';
import { deviceClaim, openedSession, optionalOtp, username } from '../operations/shapes.ts';
import { judgeCertificate } from './judge-certificate.ts';
import { mechanism } from './mechanism.ts';
import { openOrWait } from './open-or-wait.ts';
import type { ProvenSession } from './open-session.ts';

/**
 * Logs in with the certificate that this connection has shown when it was opened; the proof of its key is TLS's own CertificateVerify
 * (document 5's signature). One answer for an unknown name and for every certificate that does not log in to this account.
 */
const loginCertificate = operation({
  name: 'login.certificate',
  access: 'anyone',
  cost: 'login',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    username,
    otp: optionalOtp,
    device: deviceClaim.optional(),
    ends_with_connection: z.boolean().default(false),
  }),
  /** The realm is what a client keeps the keys of private messages by, who has no password to have proven it with. */
  output: openedSession.extend({ realm: z.string() }),
  async handle(input, context) {
    const { username: name, device, otp, ends_with_connection: endsWithConnection } = input;
    const { services, peer, concerns, note } = context;
    if (peer.session) throw loggedInAlready();
    concerns(name);
    return services.failures.guard(name, peer, async () => {
      const judged = await judgeCertificate(context, name);
      if (judged.kind === 'bad') {
        note({ details: { fault: judged.fault } });
        throw badCertificate();
      }
      const { id: certificate } = judged.certificate;
      note({ details: { certificate } });
      const found = await services.store.credential(name);
      if (!found) throw badCertificate();
      const proven = { ...found, certificate, refusal: badCertificate };
      const opened = await openOrWait(context, proven, { device, otp, endsWithConnection });
      raiseFake(context, opened);
      return { ...opened.answer, realm: services.settings.realm };
    });
  },
});

/** An account without a password is challenged like a name that nobody has, at the server's cost of now; the login does not wait for it. */
function raiseFake(
  { services }: CallContext,
  { account, verifier }: Pick<ProvenSession, 'account' | 'verifier'>,
): void {
  const { store, settings, policy, digests, onFailure } = services;
  if (account.privacy !== 'certificate' || verifier.cost === policy.bcryptCost) return;
  const next = fakeVerifier(settings.serverSecret, account.username, policy.bcryptCost, digests);
  store
    .replaceVerifier({ userId: account.id, replaces: verifier.storedKey, verifier: next })
    .catch(onFailure);
}

/** The certificate of a key (document 5, security 2). */
export const certificate = mechanism({
  name: 'certificate',
  shows: 'a certificate and the proof of its key, in the TLS handshake; no secret',
  operations: [loginCertificate],
});
