import { pages } from '../../../client/pages.ts';
import type { OutputOf } from '../../../core/operations/index.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

type User = OutputOf<'admin.users'>['users'][number];

function stateOf({
  online,
  disabled_at: disabledAt,
  erases_at: erasesAt,
}: Pick<User, 'online' | 'disabled_at' | 'erases_at'>): string {
  const now = disabledAt !== null ? ['disabled'] : online ? ['online'] : [];
  const soon = erasesAt === null ? [] : [`to be erased at ${lineTime(erasesAt)}`];
  return [...now, ...soon].join(', ') || '-';
}

/** Lists every account as administrators see it. */
export const users = command({
  usage: ['admin users'],
  description:
    'Prints every account: name, administrator or user, e-mail address, when it was made (UTC), whether it is online or disabled, and when it is to be erased. ' +
    'Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat admin users -o json', 'one object an account']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('admin.users', cursor, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        const rows = page.users.map(({ username, admin, email, created_at, ...state }) => [
          username,
          admin ? 'administrator' : 'user',
          email ?? '-',
          lineTime(created_at),
          stateOf(state),
        ]);
        const lines = tableLines(rows, context.host.stdout);
        for (const [index, user] of page.users.entries())
          await context.output.result(user, lines[index] ?? '');
      }
      return exitOk;
    });
  },
});
