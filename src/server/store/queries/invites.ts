import type { Admission, Invite, InviteId, NewInvite } from '../../../core/model/invite.ts';
import type { Username } from '../../../core/model/username.ts';
import { changes, first, type Query, rows, statement } from '../statement.ts';
import { isClaim } from './claim.ts';
import { isLive } from './conversations.ts';

const insert = statement(
  (
    db,
    p: { id: string; codeHash: Uint8Array; by: string; createdAt: number; expiresAt: number; uses: number },
  ) =>
    db.insertInto('invites').values({
      id: p.id,
      code_hash: p.codeHash,
      created_by: p.by,
      created_at: p.createdAt,
      expires_at: p.expiresAt,
      uses: p.uses,
      uses_left: p.uses,
    }),
);
const removeOver = statement((db, p: { now: number }) =>
  db.deleteFrom('invites').where('expires_at', '<=', p.now),
);
const removeUsed = statement((db, p: { id: string }) =>
  db.deleteFrom('invites').where('id', '=', p.id).where('uses_left', '=', 0),
);
const alive = statement((db, p: { after: string; limit: number; now: number }) =>
  db
    .selectFrom('invites')
    .leftJoin('users', 'users.id', 'invites.created_by')
    .select(['invites.id', 'username', 'invites.created_at', 'expires_at', 'uses', 'uses_left'])
    .where('invites.id', '>', p.after)
    .where('expires_at', '>', p.now)
    .orderBy('invites.id')
    .limit(p.limit),
);
const remove = statement((db, p: { id: string }) => db.deleteFrom('invites').where('id', '=', p.id));
const byCode = statement((db, p: { codeHash: Uint8Array; now: number }) =>
  db
    .selectFrom('invites')
    .select('id')
    .where('code_hash', '=', p.codeHash)
    .where('expires_at', '>', p.now)
    .where('uses_left', '>', 0),
);
const use = statement((db, p: { id: string }) =>
  db
    .updateTable('invites')
    .set((e) => ({ uses_left: e('uses_left', '-', 1) }))
    .where('id', '=', p.id),
);

/** Store.createInvite */
export function* createInvite(invite: NewInvite): Query<void> {
  yield* rows(removeOver, { now: invite.createdAt });
  if (yield* isLive(invite.by)) yield* rows(insert, invite);
}

/** Store.invites */
export function* invites(page: { after: string; limit: number; now: number }): Query<Invite[]> {
  const found = yield* rows(alive, page);
  return found.map((row) => ({
    id: row.id as InviteId,
    by: row.username as Username | null,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    uses: row.uses,
    usesLeft: row.uses_left,
  }));
}

/** Store.revokeInvite */
export function* revokeInvite({ id }: { id: InviteId }): Query<boolean> {
  return (yield* changes(remove, { id })) === 1;
}

/** What a code lets in by, or undefined when it lets nobody in. */
export function* admitting({
  codeHash,
  takesInvites,
  now,
}: Admission): Query<{ kind: 'claim' } | { kind: 'invite'; id: string } | undefined> {
  if (yield* isClaim(codeHash)) return { kind: 'claim' };
  const invite = takesInvites ? yield* first(byCode, { codeHash, now }) : undefined;
  return invite && { kind: 'invite', id: invite.id };
}

/** Uses an invite once; the last use takes it away. */
export function* useInvite(id: string): Query<void> {
  yield* rows(use, { id });
  yield* rows(removeUsed, { id });
}

/** Store.isAdmitted */
export function* isAdmitted(admission: Admission): Query<boolean> {
  return (yield* admitting(admission)) !== undefined;
}
