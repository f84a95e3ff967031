import { type AuditRow, auditFaultText, walkTrail } from '../../core/audit-chain.ts';
import { fromHex } from '../../core/crypto/bytes.ts';
import { ChatError } from '../../core/errors.ts';
import type { OutputOf } from '../../core/operations/index.ts';

/** A page of the trail as the server sends it. */
export type AuditAnswer = OutputOf<'admin.audit'>;
/** A row of it. */
export type WireAuditRow = AuditAnswer['rows'][number];

/** A place in the trail that somebody has kept elsewhere, as the server's log tells it. */
export interface KnownPlace {
  readonly seq: number;
  readonly hash: string;
}

/** A trail that is whole. */
export interface WholeTrail {
  readonly rows: number;
  /** The last row that was cut off by the server's own retention; 0 when none was. */
  readonly start: number;
  readonly head: KnownPlace;
}

/** Asks for the rows after a place. */
export type FetchTrail = (after: number) => Promise<AuditAnswer>;

const untrusted = (text: string): ChatError =>
  new ChatError('untrusted', `the audit trail is not intact: ${text}`);

/**
 * Reads the whole trail and checks that nothing in it was edited, taken away or exchanged, from the seal at its one end to that at its
 * other; with `known`, also that it goes through that place. Throws `untrusted` naming the first row that does not fit.
 */
export async function verifyTrail(
  fetch: FetchTrail,
  known: KnownPlace | undefined,
  onRow: (seq: number) => void,
): Promise<WholeTrail> {
  // The server may shorten its trail meanwhile; the second look begins at the new start.
  const first = await look(fetch, known, onRow);
  if (!('fault' in first)) return first;
  const second = first.hasMoved ? await look(fetch, known, onRow) : first;
  if ('fault' in second) throw second.fault;
  return second;
}

type Look = WholeTrail | { readonly fault: ChatError; readonly hasMoved: boolean };

async function look(
  fetch: FetchTrail,
  known: KnownPlace | undefined,
  onRow: (seq: number) => void,
): Promise<Look> {
  let page = await fetch(0);
  const { start, head, sealed } = page.ends;
  const failed = (text: string): Look => ({
    fault: untrusted(text),
    hasMoved: page.ends.start.seq !== start.seq,
  });
  if (!sealed) return failed('the seal over its ends is not that of this server');
  if (known && known.seq < start.seq) {
    throw new ChatError(
      'invalid',
      `row ${known.seq} was cut off with old rows: the trail begins after ${start.seq}`,
    );
  }
  if (known && known.seq > head.seq) return failed(`it ends with row ${head.seq}, before row ${known.seq}`);
  if (known?.seq === start.seq && known.hash !== start.hash)
    return failed(auditFaultText({ kind: 'edited', seq: start.seq }));
  const walk = walkTrail({ start: bytesOf(start), head: bytesOf(head) });
  let rows = 0;
  let beyond: number | undefined;
  for (;;) {
    for (const row of page.rows) {
      // What was written after the look began is for the next look.
      if (row.seq > head.seq) {
        beyond ??= row.seq;
        break;
      }
      const fault = walk.step(rowOf(row));
      if (fault) return failed(auditFaultText(fault));
      if (known?.seq === row.seq && known.hash !== row.hash)
        return failed(auditFaultText({ kind: 'edited', seq: row.seq }));
      rows += 1;
      onRow(row.seq);
    }
    if (page.next === null || page.next >= head.seq) break;
    page = await fetch(page.next);
  }
  const fault = walk.finish();
  if (!fault && beyond !== undefined && (await fetch(head.seq)).ends.head.seq < beyond) {
    return failed(auditFaultText({ kind: 'surplus', seq: beyond }));
  }
  return fault ? failed(auditFaultText(fault)) : { rows, start: start.seq, head };
}

function bytesOf({ seq, hash }: KnownPlace) {
  return { seq, hash: hashOf(hash) };
}

function rowOf({ at, hash, ...row }: WireAuditRow): AuditRow {
  return { ...row, at: Date.parse(at), hash: hashOf(hash) };
}

/** What is no hash is none, and fits nothing. */
function hashOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array();
}
