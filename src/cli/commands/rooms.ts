import { pages } from '../../client/pages.ts';
import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { callTimeoutMs, withSession } from '../session.ts';
import { tableLines } from '../table.ts';

/** Lists the rooms. */
export const rooms = command({
  usage: ['rooms'],
  description:
    'Prints the rooms: name, number of members, and whether one is in it. Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat rooms | cut -f1', 'only the names']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('room.list', cursor, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        const rows = page.rooms.map(({ room, members, member }) => [
          room,
          String(members),
          member ? 'member' : '-',
        ]);
        const lines = tableLines(rows, context.host.stdout);
        for (const [index, room] of page.rooms.entries())
          await context.output.result(room, lines[index] ?? '');
      }
      return exitOk;
    });
  },
});
