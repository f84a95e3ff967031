import { pages } from '../../../client/pages.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { lineTime } from '../../message-text.ts';
import { usageError } from '../../options.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

const idShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const revoke = command({
  usage: ['admin invites revoke ID'],
  description:
    'Takes an invite back: nobody registers with it any more. Accounts that were made with it stay.',
  options: {},
  operands: { min: 1, max: 1, names: 'ID' },
  examples: [['chat admin invites revoke ID', 'ID as chat admin invites prints it']],
  async run({ operands }, context) {
    const [id = ''] = operands;
    if (!idShape.test(id)) {
      throw usageError(`${JSON.stringify(id)} is not an invite's ID (see chat admin invites)`, 'id');
    }
    return await withSession(context, async ({ connection }) => {
      await connection.call('admin.revoke-invite', { id: id.toLowerCase() }, { timeoutMs: callTimeoutMs });
      await context.output.note('took 1 invite back');
      if (context.output.format === 'json') await context.output.result({ id: id.toLowerCase() }, []);
      return exitOk;
    });
  },
});

/** Lists the invites that are still good, and takes them back. */
export const invites = command({
  usage: ['admin invites', 'admin invites revoke ID'],
  description:
    'Prints the invites that are still good: id, how many of its accounts are left, until when (UTC), who made it. ' +
    'Columns are separated by a tab in a script. Codes are shown only when they are made.',
  options: {},
  operands: noOperands,
  examples: [['chat admin invites -o json', 'one object an invite']],
  subcommands: [{ name: 'revoke', summary: 'take an invite back', load: async () => revoke }],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('admin.invites', cursor, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        const rows = page.invites.map(({ id, uses_left, uses, expires_at, by }) => [
          id,
          `${uses_left} of ${uses}`,
          lineTime(expires_at),
          by ?? '-',
        ]);
        const lines = tableLines(rows, context.host.stdout);
        for (const [index, one] of page.invites.entries())
          await context.output.result(one, lines[index] ?? '');
      }
      return exitOk;
    });
  },
});
