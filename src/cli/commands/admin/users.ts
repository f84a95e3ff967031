import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { pages } from '../../pages.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

/** Lists every account as administrators see it. */
export const users = command({
  usage: ['admin users'],
  description:
    'Prints every account: name, administrator or user, e-mail address, when it was made (UTC), and whether it is online or disabled. ' +
    'Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat admin users -o json', 'one object an account']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('admin.users', cursor, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        const rows = page.users.map(({ username, admin, email, created_at, online, disabled_at }) => [
          username,
          admin ? 'administrator' : 'user',
          email ?? '-',
          lineTime(created_at),
          disabled_at !== null ? 'disabled' : online ? 'online' : '-',
        ]);
        const lines = tableLines(rows, context.host.stdout);
        for (const [index, user] of page.users.entries())
          await context.output.result(user, lines[index] ?? '');
      }
      return exitOk;
    });
  },
});
