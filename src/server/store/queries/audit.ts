import type { AuditEntry } from '../../../core/audit.ts';
import {
  type AuditChain,
  type AuditEnds,
  type AuditLink,
  type AuditRow,
  auditHash,
  sealEnds,
} from '../../../core/audit-chain.ts';
import { equalDigests, toHex } from '../../../core/crypto/bytes.ts';
import type { AuditPage, AuditQuery } from '../../../core/ports/store/audit.ts';
import { platformDigests } from '../../digests.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';

/** Takes the places of so many new rows. Written before anything is read, so that of two nodes one waits for the other. */
const advance = statement((db, p: { by: number }) =>
  db
    .updateTable('audit_ends')
    .set((e) => ({ head_seq: e('head_seq', '+', p.by) }))
    .where('one', '=', 1)
    .returning(['start_seq', 'start_hash', 'head_seq', 'head_hash']),
);
const readEnds = statement((db, _: object) =>
  db
    .selectFrom('audit_ends')
    .select(['start_seq', 'start_hash', 'head_seq', 'head_hash', 'seal'])
    .where('one', '=', 1),
);
const writeEnds = statement(
  (
    db,
    p: {
      startSeq: number;
      startHash: Uint8Array;
      headSeq: number;
      headHash: Uint8Array;
      seal: Uint8Array;
    },
  ) =>
    db
      .updateTable('audit_ends')
      .set({
        start_seq: p.startSeq,
        start_hash: p.startHash,
        head_seq: p.headSeq,
        head_hash: p.headHash,
        seal: p.seal,
      })
      .where('one', '=', 1),
);
const insert = statement((db, p: AuditRow) =>
  db.insertInto('audit').values({
    seq: p.seq,
    at: p.at,
    operation: p.operation,
    user: p.user,
    door: p.door,
    factor: p.factor,
    address: p.address,
    outcome: p.outcome,
    details: p.details,
    hash: p.hash,
  }),
);
const columns = [
  'seq',
  'at',
  'operation',
  'user',
  'door',
  'factor',
  'address',
  'outcome',
  'details',
  'hash',
] as const;
const page = (direction: 'asc' | 'desc') =>
  statement(
    (
      db,
      p: {
        after: number;
        before: number;
        since: number;
        user: string | null;
        operation: string | null;
        limit: number;
      },
    ) =>
      db
        .selectFrom('audit')
        .select(columns)
        .where('seq', '>', p.after)
        .where('seq', '<', p.before)
        .where('at', '>=', p.since)
        .where((e) => e.or([e(e.cast(e.val(p.user), 'text'), 'is', null), e('user', '=', p.user)]))
        .where((e) =>
          e.or([e(e.cast(e.val(p.operation), 'text'), 'is', null), e('operation', '=', p.operation)]),
        )
        .orderBy('seq', direction)
        .limit(p.limit),
  );
const oldestFirst = page('asc');
const newestFirst = page('desc');
const rowsAfter = statement((db, p: { after: number; limit: number }) =>
  db.selectFrom('audit').select(columns).where('seq', '>', p.after).orderBy('seq').limit(p.limit),
);
const span = statement((db, _: object) =>
  // Two questions: SQLite finds either end at once, and for both in one it would read every row between.
  db.selectNoFrom((e) => [
    e
      .selectFrom('audit')
      .select((of) => of.fn.min('seq').as('seq'))
      .as('low'),
    e
      .selectFrom('audit')
      .select((of) => of.fn.max('seq').as('seq'))
      .as('high'),
  ]),
);
const firstYoung = statement((db, p: { upTo: number; before: number }) =>
  db
    .selectFrom('audit')
    .select('seq')
    .where('seq', '<=', p.upTo)
    .where('at', '>=', p.before)
    .orderBy('seq')
    .limit(1),
);
const hashAt = statement((db, p: { seq: number }) =>
  db.selectFrom('audit').select('hash').where('seq', '=', p.seq),
);
const cutThrough = statement((db, p: { seq: number }) => db.deleteFrom('audit').where('seq', '<=', p.seq));

/** Rows that one call looks at, or cuts off. */
const maxRowsLookedAt = 10_000;

/** Store.appendAudit */
export function* appendAudit({
  entries,
  chain,
}: {
  entries: readonly AuditEntry[];
  chain: AuditChain;
}): Query<AuditLink> {
  const ends = endsOf(yield* first(advance, { by: entries.length }), chain);
  let { hash } = ends.head;
  let seq = ends.head.seq - entries.length;
  for (const entry of entries) {
    seq += 1;
    const row = {
      seq,
      at: entry.at,
      operation: entry.operation,
      user: entry.user ?? null,
      door: entry.door ?? null,
      factor: entry.factor ?? null,
      address: entry.address ?? null,
      outcome: entry.outcome,
      details: entry.details === undefined ? null : JSON.stringify(entry.details),
    };
    hash = auditHash(hash, row, platformDigests);
    yield* rows(insert, { ...row, hash });
  }
  const head = { seq, hash };
  yield* keepEnds({ start: ends.start, head }, chain);
  return head;
}

/** True when the rows up to this link are in the trail. Nobody appends meanwhile, and whoever was about to has done so, or never will. */
export function* isAppended({ seq, hash }: AuditLink): Query<boolean> {
  yield* first(advance, { by: 0 });
  const row = yield* first(hashAt, { seq });
  return row !== undefined && equalDigests(row.hash, hash);
}

/** Store.auditEnds */
export function* auditEnds(chain: AuditChain): Query<AuditEnds & { readonly isSealed: boolean }> {
  const row = yield* first(readEnds, {});
  const ends = endsOf(row, chain);
  const seal: unknown = row?.seal;
  return {
    ...ends,
    isSealed:
      seal instanceof Uint8Array ? equalDigests(seal, sealEnds(ends, chain.key, platformDigests)) : false,
  };
}

/** Store.auditPage */
export function* auditPage(query: AuditQuery): Query<AuditPage> {
  const { low, high } = (yield* first(span, {})) ?? {};
  if (low === undefined || low === null || high === undefined || high === null) {
    return { rows: [], next: undefined };
  }
  const { newest = false, limit } = query;
  let after = Math.max(query.after ?? 0, low - 1);
  let before = Math.min(query.before ?? Number.MAX_SAFE_INTEGER, high + 1);
  const isWhole = before - after - 1 <= maxRowsLookedAt;
  if (!isWhole && newest) after = before - 1 - maxRowsLookedAt;
  if (!isWhole && !newest) before = after + 1 + maxRowsLookedAt;
  const found = yield* rows(newest ? newestFirst : oldestFirst, {
    after,
    before,
    since: query.since ?? 0,
    user: query.user ?? null,
    operation: query.operation ?? null,
    limit,
  });
  const isFull = found.length === limit;
  const end = newest ? after + 1 : before - 1;
  const next = isFull ? found.at(-1)?.seq : isWhole ? undefined : end;
  return { rows: newest ? [...found].reverse() : found, next };
}

/** The rows after a place, oldest first, wherever they stand. */
export function* auditRowsAfter(query: { after: number; limit: number }): Query<readonly AuditRow[]> {
  return yield* rows(rowsAfter, query);
}

/** Store.cutAudit */
export function* cutAudit({
  before,
  now,
  chain,
}: {
  before: number;
  now: number;
  chain: AuditChain;
}): Query<number> {
  // Nobody appends meanwhile.
  const { start, head } = endsOf(yield* first(advance, { by: 0 }), chain);
  const upTo = Math.min(start.seq + maxRowsLookedAt, head.seq);
  const young = yield* first(firstYoung, { upTo, before });
  const through = young ? young.seq - 1 : upTo;
  const last = yield* first(hashAt, { seq: through });
  if (through <= start.seq || !last) return 0;
  const count = yield* changes(cutThrough, { seq: through });
  yield* keepEnds({ start: { seq: through, hash: last.hash }, head }, chain);
  const entry: AuditEntry = {
    at: now,
    operation: 'audit.cut',
    user: undefined,
    door: undefined,
    address: undefined,
    outcome: 'ok',
    details: { through, hash: toHex(last.hash) },
  };
  yield* appendAudit({ entries: [entry], chain });
  return count;
}

function* keepEnds(ends: AuditEnds, chain: AuditChain): Query<void> {
  yield* changes(writeEnds, {
    startSeq: ends.start.seq,
    startHash: ends.start.hash,
    headSeq: ends.head.seq,
    headHash: ends.head.hash,
    seal: sealEnds(ends, chain.key, platformDigests),
  });
}

function endsOf(
  row:
    | { start_seq: number; start_hash: Uint8Array | null; head_seq: number; head_hash: Uint8Array | null }
    | undefined,
  { first }: AuditChain,
): AuditEnds {
  return {
    start: { seq: row?.start_seq ?? 0, hash: bytesOr(row?.start_hash, first) },
    head: { seq: row?.head_seq ?? 0, hash: bytesOr(row?.head_hash, first) },
  };
}

/** What somebody has put into the file by hand is none, and fits nothing. */
function bytesOr(value: unknown, none: Uint8Array): Uint8Array {
  if (value === null || value === undefined) return none;
  return value instanceof Uint8Array ? value : new Uint8Array();
}
