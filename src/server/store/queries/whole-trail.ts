import { type AuditRow, auditChain, auditFaultText, walkTrail } from '../../../core/audit-chain.ts';
import { platformDigests } from '../../digests.ts';
import { first, type Query, statement } from '../statement.ts';
import { storedSettings } from './accounts.ts';
import { auditEnds, auditRowsAfter } from './audit.ts';

const anyUser = statement((db, _: object) => db.selectFrom('users').select('id').limit(1));

/** Rows that are in memory at a time. */
const rowsAtOnce = 1_000;

/**
 * What is wrong with the audit trail as it stands in the file, in words; undefined for a whole one. Reads it from one end to the other.
 * Nothing is asked of the server that wrote it: what it knows stands in the same file.
 */
export function* trailFault(): Query<string | undefined> {
  const settings = yield* storedSettings();
  // Of a server that has never been open to anybody there is no trail.
  if (!settings || !(yield* first(anyUser, {}))) return undefined;
  const ends = yield* auditEnds(auditChain(settings, platformDigests));
  if (!ends.isSealed) return 'the seal over its ends is not that of this server';
  const walk = walkTrail(ends, platformDigests);
  let after = Number.NEGATIVE_INFINITY;
  for (;;) {
    const page = yield* auditRowsAfter({ after, limit: rowsAtOnce });
    for (const row of page) {
      const fault = walk.step(asWritten(row));
      if (fault) return auditFaultText(fault);
      after = row.seq;
    }
    if (page.length < rowsAtOnce) break;
  }
  const fault = walk.finish();
  return fault && auditFaultText(fault);
}

/** A hash that somebody has put into the file by hand may be anything; what is none fits nothing. */
function asWritten(row: AuditRow): AuditRow {
  return row.hash instanceof Uint8Array ? row : { ...row, hash: new Uint8Array() };
}
