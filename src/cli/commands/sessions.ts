import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { lineTime } from '../message-text.ts';
import { usageError } from '../options.ts';
import { callTimeoutMs, withSession } from '../session.ts';
import { tableLines } from '../table.ts';

const idShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What to revoke: exactly one of an id and all others. */
function target(id: string | undefined, others: boolean): { id: string } | { others: true } {
  if (others) {
    if (id !== undefined) throw usageError('ID and --others cannot be given together', '--others');
    return { others: true };
  }
  if (id === undefined) throw usageError('chat sessions revoke needs an ID (see chat sessions) or --others');
  if (!idShape.test(id))
    throw usageError(`${JSON.stringify(id)} is not a session's ID (see chat sessions)`, 'id');
  return { id: id.toLowerCase() };
}

const revoke = command({
  usage: ['sessions revoke ID', 'sessions revoke --others'],
  description: 'Ends a session of this account, or all but this one; their open connections close at once.',
  options: {
    others: { type: 'flag', describe: 'all sessions but this one' },
  },
  operands: { min: 0, max: 1, names: 'ID' },
  examples: [['chat sessions revoke --others', 'leaves only this session']],
  async run({ options, operands }, context) {
    const which = target(operands[0], options.others);
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('session.revoke', which, { timeoutMs: callTimeoutMs });
      const count = answer.revoked.length;
      await context.output.note(count === 1 ? 'ended 1 session' : `ended ${count} sessions`);
      if (context.output.format === 'json') await context.output.result(answer, []);
      return exitOk;
    });
  },
});

/** Lists the sessions of the account, and ends them. */
export const sessions = command({
  usage: ['sessions', 'sessions revoke ID', 'sessions revoke --others'],
  description:
    'Prints the sessions of this account: id, device, door, address, last use and end (UTC), and which one is this. ' +
    'Columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [['chat sessions -o json', 'one object a session']],
  subcommands: [{ name: 'revoke', summary: 'end one or all other sessions', load: async () => revoke }],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const { sessions: found } = await connection.call('session.list', {}, { timeoutMs: callTimeoutMs });
      const rows = found.map(({ id, device, door, address, last_used_at, expires_at, current }) => [
        id,
        device,
        door,
        address,
        lineTime(last_used_at),
        lineTime(expires_at),
        current ? 'this one' : '',
      ]);
      const lines = tableLines(rows, context.host.stdout);
      for (const [index, session] of found.entries())
        await context.output.result(session, lines[index] ?? '');
      return exitOk;
    });
  },
});
