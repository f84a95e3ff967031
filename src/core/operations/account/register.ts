import { z } from 'zod';
import { saltBytes } from '../../crypto/stretch.ts';
import { chatSuite } from '../../crypto/verifier.ts';
import { ChatError } from '../../errors.ts';
import type { UserId } from '../../model/ids.ts';
import { operation } from '../../operation.ts';
import { uuidV7 } from '../../random.ts';
import { base64Bytes, instant, username } from '../shapes.ts';

/**
 * Creates a private account from a verifier made on the client; the server never sees the password (security 1.3).
 * Answers `conflict` when the name or the e-mail address is taken. It does not log in.
 */
export const register = operation({
  name: 'account.register',
  access: 'anyone',
  cost: 'registration',
  audited: true,
  overlaps: false,
  input: z.strictObject({
    username,
    verifier: z.strictObject({
      suite: z.literal(chatSuite, { error: `the one suite is ${chatSuite}` }),
      salt: base64Bytes(saltBytes),
      cost: z.number().int(),
      stored_key: base64Bytes(32),
      server_key: base64Bytes(32),
    }),
    email: z.email('not an e-mail address').max(254).optional(),
  }),
  output: z.object({ user_id: z.string(), username: z.string(), created_at: instant }),
  async handle({ username, verifier, email }, { services, now }) {
    const { bcryptCost } = services.policy;
    if (verifier.cost !== bcryptCost) {
      throw new ChatError('invalid', `verifier.cost: this server's cost is ${bcryptCost}`, {
        field: 'verifier.cost',
      });
    }
    const id = uuidV7() as UserId;
    const outcome = await services.store.createAccount({
      account: { id, username, email: email ?? null, privacy: 'private', isAdmin: false, createdAt: now },
      verifier: {
        suite: verifier.suite,
        salt: verifier.salt,
        cost: verifier.cost,
        storedKey: verifier.stored_key,
        serverKey: verifier.server_key,
      },
    });
    if (outcome.kind === 'taken') {
      throw new ChatError('conflict', `${outcome.field}: taken already`, { field: outcome.field });
    }
    return { user_id: id, username, created_at: new Date(now).toISOString() };
  },
});
