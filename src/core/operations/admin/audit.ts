import * as z from 'zod';
import type { AuditLink, AuditRow } from '../../audit-chain.ts';
import { toHex } from '../../crypto/bytes.ts';
import { operation } from '../../operation.ts';
import { instant, pageLimit, seq, username } from '../shapes.ts';

const link = z.object({ seq: z.number(), hash: z.string() });

/**
 * A page of the audit trail, oldest first, with all that its chain is computed over, so that whoever asks can check it. `ends` are
 * those of the trail at that moment. `next` is where the next page goes on: as `after`, or as `before` when `newest` was asked for; null at
 * the end. A page may be empty and have a next one.
 */
export const audit = operation({
  name: 'admin.audit',
  access: 'admin',
  cost: 'none',
  audited: false,
  overlaps: false,
  input: z.strictObject({
    after: seq.optional(),
    before: seq.optional(),
    since: instant.optional(),
    user: username.optional(),
    operation: z.string().min(1).max(64).optional(),
    newest: z.boolean().default(false),
    limit: pageLimit.default(1_000),
  }),
  output: z.object({
    rows: z.array(
      z.object({
        seq: z.number(),
        at: instant,
        operation: z.string(),
        user: z.string().nullable(),
        door: z.string().nullable(),
        factor: z.string().nullable(),
        address: z.string().nullable(),
        outcome: z.string(),
        /** JSON as it was written. */
        details: z.string().nullable(),
        hash: z.string(),
      }),
    ),
    next: z.number().nullable(),
    ends: z.object({ start: link, head: link, sealed: z.boolean() }),
  }),
  async handle({ after, before, since, user, operation: name, newest, limit }, { services }) {
    const { store, trail, chain } = services;
    // Who has just seen something happen finds it here.
    await trail.written();
    const ends = await store.auditEnds(chain);
    const page = await store.auditPage({
      ...(after !== undefined && { after }),
      ...(before !== undefined && { before }),
      ...(since !== undefined && { since: Date.parse(since) }),
      ...(user !== undefined && { user }),
      ...(name !== undefined && { operation: name }),
      newest,
      limit,
    });
    return {
      rows: page.rows.map(spelled),
      next: page.next ?? null,
      ends: { start: place(ends.start), head: place(ends.head), sealed: ends.isSealed },
    };
  },
});

function place({ seq: number, hash }: AuditLink) {
  return { seq: number, hash: toHex(hash) };
}

/** What somebody has put into the file by hand may be of any kind; as text it has another hash, and is found by that. */
function spelled(row: AuditRow) {
  const text = (value: unknown): string => (typeof value === 'string' ? value : `not text: ${value}`);
  const textOrNull = (value: unknown): string | null => (value === null ? null : text(value));
  const isMoment = Number.isSafeInteger(row.at) && Math.abs(row.at) <= 8.64e15;
  return {
    seq: row.seq,
    at: new Date(isMoment ? row.at : 0).toISOString(),
    operation: text(row.operation),
    user: textOrNull(row.user),
    door: textOrNull(row.door),
    factor: textOrNull(row.factor),
    address: textOrNull(row.address),
    outcome: text(row.outcome),
    details: textOrNull(row.details),
    hash: row.hash instanceof Uint8Array ? toHex(row.hash) : '',
  };
}
