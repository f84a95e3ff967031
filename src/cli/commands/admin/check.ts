import { command } from '../../command.ts';
import { exitCodes, exitOk } from '../../exit-codes.ts';
import { withSession } from '../../session.ts';
import { copyTimeoutMs } from './backup.ts';

/** Looks for damage, and for changes of the audit trail, in a backup or in the database. */
export const check = command({
  usage: ['admin check [NAME]'],
  description:
    "Looks for damage (SQLite's integrity_check) and for changes of the audit trail in the backup NAME, or without one in the database as it is now, of which " +
    'the server makes a copy for it and removes it. Everything is served meanwhile. Ends with 3 and what was found when there is some.',
  options: {},
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat admin check', 'the database'],
    ['chat admin check chat-20261121T153002Z-3f9a01.db', 'a backup, as chat admin backup prints its name'],
  ],
  async run({ operands: [name] }, context) {
    return await withSession(context, async ({ connection }) => {
      context.output.progress('the server looks for damage');
      const input = name === undefined ? {} : { name };
      const found = await connection.call('admin.check', input, { timeoutMs: copyTimeoutMs });
      context.output.progress(undefined);
      const what = found.name ?? 'the database';
      const sound = `${what} is sound, format ${found.format}, ${found.bytes} bytes`;
      const lines = found.faults.map((fault) => `${what} is not sound: ${fault}`);
      await context.output.result(found, found.faults.length === 0 ? sound : lines);
      return found.faults.length === 0 ? exitOk : exitCodes.unavailable;
    });
  },
});
