import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

/** Prints how much a server holds, and how it is. */
export const stats = command({
  usage: ['admin stats'],
  description:
    'Prints how much the server holds and how it is: version, start (UTC), connections by door, who is online, accounts, sessions, rooms, ' +
    'messages and how many came lately, the database and its disk, what waits, memory, the newest backup. One a line: name and value, with ' +
    'a tab between in a script; times in seconds or milliseconds (_s, _ms), sizes in bytes, - for what is not known. A line "warning" for each value that is bad.',
  options: {},
  operands: noOperands,
  examples: [['chat admin stats -o json', 'one object']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('admin.stats', {}, { timeoutMs: callTimeoutMs });
      const rows = Object.entries(answer).flatMap(([name, value]) => rowsOf(name, value));
      await context.output.result(answer, tableLines(rows, context.host.stdout));
      return exitOk;
    });
  },
});

/** What an answer says under one name: a row, or one for each entry of a list. */
function rowsOf(name: string, value: unknown): string[][] {
  if (name === 'warnings') return (value as readonly string[]).map((text) => ['warning', text]);
  if (name !== 'doors') return [[name, value === null ? '-' : String(value)]];
  return (value as readonly Door[]).map(({ door, tls, connections }) => [
    `connections_${door}${tls ? '_tls' : ''}`,
    String(connections),
  ]);
}

interface Door {
  readonly door: string;
  readonly tls: boolean;
  readonly connections: number;
}
