import { z } from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { loginRefusal, verifyClientFinal } from '../../crypto/scram-server.ts';
import { badCredentials, ChatError } from '../../errors.ts';
import { openSession } from '../../login/open-session.ts';
import { operation } from '../../operation.ts';
import { deviceClaim, openedSession, scramMessage } from '../shapes.ts';

/**
 * The second half: judges the client's proof and answers the server's own, together with a new session (security 1.4).
 * One try per challenge. `unauthenticated` has one text for an unknown user and a wrong password.
 */
export const finish = operation({
  name: 'login.finish',
  access: 'anyone',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    exchange: z.string().max(64),
    message: scramMessage,
    device: deviceClaim.optional(),
  }),
  output: openedSession.extend({ message: z.string() }),
  async handle({ exchange: id, message, device }, context) {
    const { services, peer, now, concerns } = context;
    if (peer.session) throw new ChatError('conflict', 'this connection is logged in already');
    const exchange = services.exchanges.take(id, peer, now);
    if (!exchange) throw new ChatError('unauthenticated', 'this login has ended: begin again');
    concerns(exchange.username);
    context.concerns(exchange.username);
    const proof = verifyClientFinal(exchange, message, peer.channel.tlsExporter?.(), services.digests);
    if (!proof.ok) throw loginRefusal(proof.reason);
    // Read again: between challenge and proof the password may have been changed or the account removed.
    const current = await services.store.credential(exchange.username);
    if (!current || !equalDigests(current.verifier.storedKey, exchange.storedKey)) throw badCredentials();
    return { ...(await openSession(context, current.account, device)), message: proof.value };
  },
});
