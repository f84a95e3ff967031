import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

/** How long a server may take to copy its database, or to look through a copy: an hour, for a very large one. */
export const copyTimeoutMs = 3_600_000;

/** Makes a backup on the server's machine. */
export const backup = command({
  usage: ['admin backup'],
  description:
    "Copies the server's database to a new file in the server's directory for backups (chat serve --backup-dir) and prints " +
    'its name, its size in bytes and its SHA-256. Everything is served meanwhile; what was stored before it began is in it.',
  options: {},
  operands: noOperands,
  examples: [['chat admin backup', 'a new file, under a name that the server makes']],
  async run(_args, context) {
    return await withSession(context, async ({ connection }) => {
      context.output.progress('the server copies its database');
      const made = await connection.call('admin.backup', {}, { timeoutMs: copyTimeoutMs });
      context.output.progress(undefined);
      await context.output.result(
        made,
        tableLines([[made.name, String(made.bytes), made.sha256]], context.host.stdout),
      );
      return exitOk;
    });
  },
});
