import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

/** Prints how much a server holds, and how it is. */
export const stats = command({
  usage: ['admin stats'],
  description:
    'Prints how much the server holds and how it is: version, start (UTC), uptime in seconds, connections, who is online, ' +
    'accounts, sessions, rooms, messages sent so far, bytes of the database. One a line: name and value, with a tab between in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat admin stats -o json', 'one object']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('admin.stats', {}, { timeoutMs: callTimeoutMs });
      const rows = Object.entries(answer).map(([name, value]) => [name, String(value)]);
      await context.output.result(answer, tableLines(rows, context.host.stdout));
      return exitOk;
    });
  },
});
