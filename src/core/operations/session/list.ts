import * as z from 'zod';
import { operation } from '../../operation.ts';
import { instant } from '../shapes.ts';

/** The caller's sessions that are alive, the last used first. */
export const list = operation({
  name: 'session.list',
  access: 'session',
  cost: 'none',
  needsNoFactor: true,
  audited: false,
  overlaps: false,
  whileErasing: true,
  input: z.strictObject({}),
  output: z.object({
    sessions: z.array(
      z.object({
        id: z.string(),
        device: z.string(),
        door: z.string(),
        address: z.string(),
        created_at: instant,
        last_used_at: instant,
        expires_at: instant,
        current: z.boolean(),
        /** The certificate that it was opened with, which logs in again; left out for any other way. */
        certificate: z.string().optional(),
      }),
    ),
  }),
  async handle(_input, { services, session, now }) {
    const rows = await services.store.sessions({
      userId: session.userId,
      now,
      idleMs: services.policy.sessionIdleMs,
    });
    return {
      sessions: rows.map((row) => ({
        id: row.id,
        device: row.deviceLabel,
        door: row.door,
        address: row.address,
        created_at: new Date(row.createdAt).toISOString(),
        last_used_at: new Date(row.lastUsedAt).toISOString(),
        expires_at: new Date(services.sessions.expiresAt(row)).toISOString(),
        current: row.id === session.id,
        ...(row.certificate !== undefined && { certificate: row.certificate }),
      })),
    };
  },
});
