import type { AuditEntry } from '../../audit.ts';
import type { AuditChain, AuditEnds, AuditLink, AuditRow } from '../../audit-chain.ts';

/** The audit trail. */
export interface AuditStore {
  /** Puts entries at the end of the audit trail, in their order, each chained to the one before it; answers the last one's place. */
  appendAudit(append: { entries: readonly AuditEntry[]; chain: AuditChain }): Promise<AuditLink>;
  /** A page of the audit trail (see {@link AuditQuery}). */
  auditPage(query: AuditQuery): Promise<AuditPage>;
  /** Both ends of the audit trail, and whether their seal is whole; a trail that nothing was ever written to has none. */
  auditEnds(chain: AuditChain): Promise<AuditEnds & { readonly isSealed: boolean }>;
  /**
   * Shortens the audit trail by its rows from before `before`, as far as all rows before them are as old, at most 10,000 a call, and
   * keeps the place of the last one that went; answers how many. That it was cut is a row of the trail itself, at `now`.
   */
  cutAudit(cut: { before: number; now: number; chain: AuditChain }): Promise<number>;
}

/** Rows of the audit trail with `after < seq < before` that fit, in order of seq: the first `limit`, or with `newest` the last `limit`. */
export interface AuditQuery {
  readonly after?: number;
  readonly before?: number;
  /** UTC milliseconds: rows of this moment and later. */
  readonly since?: number;
  readonly user?: string;
  readonly operation?: string;
  readonly limit: number;
  readonly newest?: boolean;
}

/**
 * One look at the trail goes over 10,000 rows at most, so that nobody waits long for it. `next` says from where another one goes
 * on (as its `after`, or its `before` with `newest`); undefined when the end was reached.
 */
export interface AuditPage {
  readonly rows: readonly AuditRow[];
  readonly next: number | undefined;
}
