import { z } from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { username } from '../shapes.ts';

/** An account's newest key record, or the one of a number; `not-found` for an account, or a number, without one. */
export const get = operation({
  name: 'keys.get',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: true,
  input: z.strictObject({ user: username, seq: z.number().int().min(1).optional() }),
  output: z.object({ record: z.string(), newest_seq: z.number() }),
  async handle({ user, seq }, { services }) {
    const found = await services.store.keyRecord({ username: user, seq });
    if (!found) throw new ChatError('not-found', `there is no user ${user}`, { field: 'user' });
    const { record, newestSeq } = found;
    if (record === undefined) {
      throw newestSeq === 0
        ? new ChatError('not-found', `${user} has published no keys`, { field: 'user' })
        : new ChatError('not-found', `${user} has no key record of this number`, { field: 'seq' });
    }
    return { record, newest_seq: newestSeq };
  },
});
