import type { ConversationId, UserId } from '../../../core/model/ids.ts';
import type { ConversationView } from '../../../core/model/message.ts';
import type { Username } from '../../../core/model/username.ts';
import { refOf } from '../queries/conversations.ts';
import type { Connections } from './connections.ts';
import { transaction } from './transactions.ts';

/** That somebody has come into a conversation, or has left one. */
export interface MembershipChange {
  readonly kind: 'joined' | 'left';
  readonly userId: UserId;
  readonly username: Username;
  /** As `username` sees it now, but for the read marker, which stands where it stood at the entry or at the leave. */
  readonly conversation: ConversationView;
}

/** How far somebody has read the changes; made by the call before. */
export interface MembershipCursor {
  /** What that call could see: `pg_snapshot`. */
  readonly snapshot: string;
  /** When that was, by the database's clock, in milliseconds. */
  readonly at: number;
}

/** What has changed since `since`; without it nothing has, and `next` is where to begin. */
export type MembershipChanges = (since?: MembershipCursor) => Promise<{
  /** Each change once, those of one member and conversation in their order. */
  readonly changes: readonly MembershipChange[];
  /** False when changes may be missing, since the last call is too long ago: then everything is to be asked anew. */
  readonly isWhole: boolean;
  readonly next: MembershipCursor;
}>;

/** Changes are kept so long, in milliseconds: who has asked nothing meanwhile is told so. */
const keptMs = 600_000;
/** How often one node takes the older ones away, in milliseconds. */
const sweepMs = 60_000;

// By the transactions that had ended, not by numbers or clocks: one that began early and was committed late is seen all the same.
const changed = `
  SELECT c.has_joined, c.user_id, u.username, c.conversation_id, v.room, v.last_seq, c.read_seq,
    v.low_user_id, low.username AS low_name, high.username AS high_name
  FROM member_changes AS c
  JOIN users AS u ON u.id = c.user_id
  JOIN conversations AS v ON v.id = c.conversation_id
  LEFT JOIN users AS low ON low.id = v.low_user_id
  LEFT JOIN users AS high ON high.id = v.high_user_id
  WHERE c.written_by >= pg_snapshot_xmin($1::pg_snapshot)
    AND NOT pg_visible_in_snapshot(c.written_by, $1::pg_snapshot)
  ORDER BY c.id`;
const seen = `
  SELECT pg_current_snapshot()::text AS snapshot,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at,
    coalesce(pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax($1::pg_snapshot), false) AS is_older`;
const sweep = `DELETE FROM member_changes WHERE noted_at < clock_timestamp() - make_interval(secs => $1)`;

interface Row {
  readonly has_joined: boolean;
  readonly user_id: string;
  readonly username: string;
  readonly conversation_id: number;
  readonly room: string | null;
  readonly last_seq: number;
  readonly read_seq: number;
  readonly low_user_id: string | null;
  readonly low_name: string | null;
  readonly high_name: string | null;
}

/** Reads the changes of members that the database has noted ({@link MembershipChanges}). */
export function membershipReader(pool: Pick<Connections, 'use'>): MembershipChanges {
  let sweptAt = 0;
  return async (since) => {
    const { rows, now } = await pool.use((session) =>
      transaction(session, 'snapshot', async () => {
        const told = await session.execute(seen, [since?.snapshot ?? null]);
        const found = since ? (await session.execute(changed, [since.snapshot])).rows : [];
        const [now] = told.rows as { snapshot: string; at: number; is_older: boolean }[];
        if (!now) throw new Error('the database answered nothing about itself');
        return { rows: found as readonly Row[], now };
      }),
    );
    if (now.at - sweptAt >= sweepMs) {
      sweptAt = now.at;
      // Kept for longer than is said: who has just been told that nothing is missing must find it so.
      await pool.use((session) => session.execute(sweep, [(2 * keptMs) / 1_000]));
    }
    return {
      changes: rows.map(changeOf),
      // A database that is behind what it was has been put back to an older state.
      isWhole: !since || (now.at - since.at < keptMs && !now.is_older),
      next: { snapshot: now.snapshot, at: now.at },
    };
  };
}

function changeOf(row: Row): MembershipChange {
  const userId = row.user_id as UserId;
  return {
    kind: row.has_joined ? 'joined' : 'left',
    userId,
    username: row.username as Username,
    conversation: {
      id: row.conversation_id as ConversationId,
      ref: refOf(row, userId),
      lastSeq: row.last_seq,
      readSeq: row.read_seq,
    },
  };
}
