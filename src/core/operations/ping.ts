import { z } from 'zod';
import { operation } from '../operation.ts';

/** Shows that the other end is alive; it is no use of a session, so an idle one still expires. */
export const ping = operation({
  name: 'ping',
  access: 'anyone',
  cost: 'none',
  audited: false,
  overlaps: true,
  input: z.strictObject({}),
  output: z.object({}),
  handle: async () => ({}),
});
