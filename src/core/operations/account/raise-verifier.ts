import * as z from 'zod';
import { equalDigests } from '../../crypto/bytes.ts';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { verifier } from '../shapes.ts';

/**
 * Puts a verifier at the server's cost in the place of an old one (security 1.8). Only a connection that has just proven the
 * password is asked for it, by `login.finish`: its own session, once, for the salt and the cost that it was given. Sessions stay.
 */
export const raiseVerifier = operation({
  name: 'account.raise-verifier',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: true,
  overlaps: false,
  input: z.strictObject({ verifier }),
  output: z.object({}),
  async handle({ verifier: raised }, { services, session, peer, now }) {
    const asked = services.raises.take(peer, now);
    if (asked?.sessionId !== session.id) {
      throw new ChatError('forbidden', 'only a login that was just made, and was asked to, may do this');
    }
    if (raised.cost !== asked.cost) {
      throw new ChatError('invalid', `verifier.cost: ${asked.cost} was asked for`, {
        field: 'verifier.cost',
      });
    }
    if (!equalDigests(raised.salt, asked.salt)) {
      throw new ChatError('invalid', 'verifier.salt: another one was asked for', { field: 'verifier.salt' });
    }
    const isReplaced = await services.store.replaceVerifier({
      userId: session.userId,
      replaces: asked.replaces,
      verifier: raised,
    });
    if (!isReplaced) throw new ChatError('conflict', 'the verifier has been changed since this login');
    return {};
  },
});
