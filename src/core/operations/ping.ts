import * as z from 'zod';
import { operation } from '../operation.ts';
import { pong } from '../pong.ts';
import { instant } from './shapes.ts';

/** Shows that the other end is alive, and what its clock says; it is no use of a session, so an idle one still expires. */
export const ping = operation({
  name: 'ping',
  access: 'anyone',
  cost: 'none',
  audited: false,
  overlaps: true,
  input: z.strictObject({}),
  output: z.object({ time: instant, protocol: z.number() }),
  handle: async (_input, { now }) => pong(now),
});
