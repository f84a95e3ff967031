import * as z from 'zod';
import { ChatError } from '../../errors.ts';
import { operation } from '../../operation.ts';
import { label, sessionId } from '../shapes.ts';

/**
 * Names the device of one of the caller's sessions, for the list of sessions; the device keeps the name at its next logins.
 * Another account's session is `not-found` (ASVS 8.2.2).
 */
export const rename = operation({
  name: 'session.rename',
  access: 'session',
  cost: 'none',
  audited: true,
  overlaps: false,
  input: z.strictObject({ id: sessionId, device: label }),
  output: z.object({ device: z.string() }),
  async handle({ id, device }, { services, session }) {
    const renamed = await services.store.renameDevice({
      sessionId: id,
      userId: session.userId,
      label: device,
    });
    if (!renamed) throw new ChatError('not-found', 'there is no such session', { field: 'id' });
    services.sessions.renew(renamed);
    return { device };
  },
});
