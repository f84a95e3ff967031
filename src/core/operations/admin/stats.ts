import * as z from 'zod';
import { operation } from '../../operation.ts';
import { instant } from '../shapes.ts';
import { operatorOf } from './operator-of.ts';

/** How much the server holds and how it is. Counted are accounts, sessions and conversations; messages by their numbers, never one by one. */
export const stats = operation({
  name: 'admin.stats',
  access: 'admin',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({}),
  output: z.object({
    version: z.string(),
    started_at: instant,
    uptime_s: z.number(),
    connections: z.number(),
    online: z.number(),
    accounts: z.number(),
    disabled: z.number(),
    sessions: z.number(),
    rooms: z.number(),
    direct_conversations: z.number(),
    messages: z.number(),
    database_bytes: z.number(),
  }),
  async handle(_input, { services, now }) {
    const { version, startedAt, connections, databaseBytes } = await operatorOf(services).facts();
    const { directs, ...counts } = await services.store.counts();
    return {
      version,
      started_at: new Date(startedAt).toISOString(),
      uptime_s: Math.floor((now - startedAt) / 1_000),
      connections,
      online: services.presence.online().length,
      ...counts,
      direct_conversations: directs,
      database_bytes: databaseBytes,
    };
  },
});
