import * as z from 'zod';
import { operation } from '../../operation.ts';
import { instant } from '../shapes.ts';
import { operatorOf } from './operator-of.ts';

/** An instant that may not have been yet. */
const instantOrNone = instant.nullable();
const textOf = (at: number | undefined): string | null =>
  at === undefined ? null : new Date(at).toISOString();

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
    node: z.string(),
    started_at: instant,
    uptime_s: z.number(),
    // Left out by a server that keeps everything in its data directory; `store` by one of before.
    node_id: z.string().optional(),
    store: z.string().optional(),
    store_up: z.boolean().optional(),
    store_connections: z.number().optional(),
    store_waiting: z.number().optional(),
    bus_up: z.boolean().optional(),
    bus_peers: z.number().optional(),
    connections: z.number(),
    doors: z.array(z.object({ door: z.string(), tls: z.boolean(), connections: z.number() })),
    logged_in: z.number(),
    online: z.number(),
    accounts: z.number(),
    disabled: z.number(),
    sessions: z.number(),
    rooms: z.number(),
    direct_conversations: z.number(),
    messages: z.number(),
    messages_last_minute: z.number(),
    messages_last_hour: z.number(),
    deliveries: z.number(),
    lagging: z.number(),
    queued_bytes: z.number(),
    database_bytes: z.number(),
    log_bytes: z.number(),
    checkpoint_at: instantOrNone,
    sync_p50_ms: z.number().nullable(),
    sync_p99_ms: z.number().nullable(),
    store_queue: z.number(),
    index_lag: z.number(),
    passwords_waiting: z.number(),
    mails_waiting: z.number(),
    audit_waiting: z.number(),
    memory_bytes: z.number(),
    heap_bytes: z.number(),
    loop_delay_p50_ms: z.number(),
    loop_delay_p99_ms: z.number(),
    disk_free_bytes: z.number().nullable(),
    backup_at: instantOrNone,
    certificate_expires_at: instant,
    warnings: z.array(z.string()),
  }),
  async handle(_input, { services, now }) {
    const facts = await operatorOf(services).facts();
    const { storeConnection: remote } = facts;
    const { directs, ...counts } = await services.store.counts();
    return {
      version: facts.version,
      node: facts.node,
      started_at: new Date(facts.startedAt).toISOString(),
      uptime_s: Math.floor((now - facts.startedAt) / 1_000),
      ...(facts.nodeId === undefined ? {} : { node_id: facts.nodeId }),
      store: facts.store,
      ...(remote
        ? { store_up: remote.isUp, store_connections: remote.open, store_waiting: remote.waiting }
        : {}),
      ...(facts.bus ? { bus_up: facts.bus.isUp, bus_peers: facts.bus.peers } : {}),
      connections: facts.connections,
      doors: [...facts.doors],
      logged_in: facts.loggedIn,
      online: services.presence.online().length,
      ...counts,
      direct_conversations: directs,
      messages_last_minute: facts.messagesLastMinute,
      messages_last_hour: facts.messagesLastHour,
      deliveries: facts.deliveries,
      lagging: facts.lagging,
      queued_bytes: facts.queuedBytes,
      database_bytes: facts.databaseBytes,
      log_bytes: facts.logBytes,
      checkpoint_at: textOf(facts.checkpointAt),
      sync_p50_ms: facts.syncP50Ms ?? null,
      sync_p99_ms: facts.syncP99Ms ?? null,
      store_queue: facts.storeQueue,
      index_lag: facts.indexLag,
      passwords_waiting: facts.passwordsWaiting,
      mails_waiting: facts.mailsWaiting,
      audit_waiting: facts.auditWaiting,
      memory_bytes: facts.memoryBytes,
      heap_bytes: facts.heapBytes,
      loop_delay_p50_ms: facts.loopDelayP50Ms,
      loop_delay_p99_ms: facts.loopDelayP99Ms,
      disk_free_bytes: facts.diskFreeBytes ?? null,
      backup_at: textOf(facts.backupAt),
      certificate_expires_at: new Date(facts.certificateExpiresAt).toISOString(),
      warnings: [...facts.warnings],
    };
  },
});
