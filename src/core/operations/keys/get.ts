import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { username } from '../shapes.ts';

/**
 * An account's newest key record, or the one of a number. One that has published none has `record` null and `newest_seq` 0. Of the
 * caller's own account also which version of the backup is kept, 0 for none. `not-found` for a name that nobody has, or a number.
 */
export const get = operation({
  name: 'keys.get',
  access: 'session',
  cost: 'none',
  audited: false,
  overlaps: true,
  input: z.strictObject({ user: username, seq: z.number().int().min(1).optional() }),
  output: z.object({
    record: z.string().nullable(),
    newest_seq: z.number(),
    backup_version: z.number().optional(),
  }),
  async handle({ user, seq }, { services: { store }, session }) {
    const found = await store.keyRecord({ username: user, seq });
    if (!found) throw new ChatError('not-found', `there is no user @${user}`, { field: 'user' });
    const { record, newestSeq } = found;
    if (record === undefined && seq !== undefined)
      throw new ChatError('not-found', `${user} has no key record of this number`, { field: 'seq' });
    const isOwn = user === session.username;
    const kept = isOwn ? await store.keyBackup({ userId: session.userId }) : undefined;
    return {
      record: record ?? null,
      newest_seq: newestSeq,
      ...(isOwn && { backup_version: kept?.version ?? 0 }),
    };
  },
});
