import { concat, equalDigests, toHex, utf8 } from './crypto/bytes.ts';
import { type Digests, nobleDigests } from './crypto/digests.ts';

/** A row of the audit trail as it is kept; each value is what the chain is computed over. */
export interface AuditRow {
  /** From 1, without a gap. */
  readonly seq: number;
  /** UTC milliseconds. */
  readonly at: number;
  readonly operation: string;
  readonly user: string | null;
  readonly door: string | null;
  readonly factor: string | null;
  readonly address: string | null;
  readonly outcome: string;
  /** JSON, as it was written. */
  readonly details: string | null;
  /** SHA-256 over the hash of the row before and this row. */
  readonly hash: Uint8Array;
}

/** A place in the chain: a row's number and its hash. */
export interface AuditLink {
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** What a chain begins with, and what its ends are sealed with; made of what makes this server this server. */
export interface AuditChain {
  /** Stands before row 1. */
  readonly first: Uint8Array;
  /** Seals the two ends of the trail. */
  readonly key: Uint8Array;
}

/** Both ends of the trail that is kept: what comes before its first row, and its last one. */
export interface AuditEnds {
  /** The last row that was cut off when the trail was shortened; row 0 when it never was. */
  readonly start: AuditLink;
  readonly head: AuditLink;
}

/** Makes the chain of a server from its settings. */
export function auditChain(
  settings: { readonly realm: string; readonly serverSecret: Uint8Array },
  digests: Digests = nobleDigests,
): AuditChain {
  return {
    first: digests.sha256(utf8(`chat-audit-v1|${settings.realm}`)),
    key: digests.hmacSha256(settings.serverSecret, utf8('chat audit ends')),
  };
}

/** The hash of a row after the one whose hash is `previous`. */
export function auditHash(
  previous: Uint8Array,
  row: Omit<AuditRow, 'hash'>,
  digests: Digests = nobleDigests,
): Uint8Array {
  const { seq, at, operation, user, door, factor, address, outcome, details } = row;
  // A list of JSON has one spelling, and none of its values can be taken for another or for two.
  const text = JSON.stringify([seq, at, operation, user, door, factor, address, outcome, details]);
  return digests.sha256(concat(previous, utf8(text)));
}

/** The seal over both ends: who has not the server's secret can move neither. */
export function sealEnds({ start, head }: AuditEnds, key: Uint8Array, digests: Digests = nobleDigests) {
  const text = `chat-audit-ends-v1|${start.seq}|${toHex(start.hash)}|${head.seq}|${toHex(head.hash)}`;
  return digests.hmacSha256(key, utf8(text));
}

/** What is wrong with a trail: the first row that does not fit, and why. */
export interface AuditFault {
  readonly seq: number;
  readonly kind: 'edited' | 'missing' | 'surplus' | 'cut-off';
}

const faultTexts: Readonly<Record<AuditFault['kind'], (seq: number) => string>> = {
  edited: (seq) => `row ${seq} is not as it was written`,
  missing: (seq) => `row ${seq} is missing`,
  surplus: (seq) => `row ${seq} stands where none was written`,
  'cut-off': (seq) => `it ends before row ${seq}, which was written`,
};

/** Says in words what is wrong with a trail. */
export function auditFaultText({ kind, seq }: AuditFault): string {
  return faultTexts[kind](seq);
}

/** Walks along a trail, row by row. */
export interface AuditWalk {
  /** The next row; answers what is wrong with it. */
  step(row: AuditRow): AuditFault | undefined;
  /** What is wrong with the end, when there are no more rows. */
  finish(): AuditFault | undefined;
}

/**
 * Checks that rows follow one another from one end to the other: one that was edited or exchanged has another hash, one that was
 * taken away leaves a gap in the numbers, and what was cut off at either end leaves the trail short of it.
 */
export function walkTrail({ start, head }: AuditEnds, digests: Digests = nobleDigests): AuditWalk {
  let { seq, hash } = start;
  return {
    step(row) {
      if (row.seq > seq + 1) return { seq: seq + 1, kind: 'missing' };
      if (row.seq <= seq) return { seq: row.seq, kind: 'surplus' };
      const expected = auditHash(hash, row, digests);
      if (!equalDigests(expected, row.hash)) return { seq: row.seq, kind: 'edited' };
      seq = row.seq;
      hash = row.hash;
      if (seq > head.seq) return { seq, kind: 'surplus' };
      // A trail that was written anew from some row on fits in itself, but not to the end that was sealed.
      if (seq === head.seq && !equalDigests(hash, head.hash)) return { seq, kind: 'edited' };
      return undefined;
    },
    finish: () => (seq < head.seq ? { seq: seq + 1, kind: 'cut-off' } : undefined),
  };
}
