import { first, type Query, statement } from '../statement.ts';

const another = statement((db, p: { userId: string }) =>
  db
    .selectFrom('users')
    .select('id')
    .where('is_admin', '=', 1)
    .where('disabled_at', 'is', null)
    .where('erases_at', 'is', null)
    .where('id', '!=', p.userId)
    .limit(1),
);

/** True when somebody else administers who can log in, and stays: `userId` may go then. */
export function* hasAnotherAdministrator(userId: string): Query<boolean> {
  return (yield* first(another, { userId })) !== undefined;
}
