import { command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { keysHere } from '../keys-here.ts';
import { lineTime } from '../message-text.ts';
import { withSession } from '../session.ts';
import { tableLines } from '../table.ts';

/** Shows the keys of private messages, and changes them. */
export const keys = command({
  usage: ['keys', 'keys verify USER', 'keys backup', 'keys restore', 'keys rotate'],
  description:
    'Prints the keys of private messages on this machine: of the account, which epoch they are of and since when; and of others, those ' +
    'that were seen here, and whether they were compared (chat keys verify). They are kept in the state directory, and sealed on the ' +
    'server: the password opens that backup, and the recovery key when the password was lost. A lost password without a recovery key ' +
    'loses old private messages: nobody can read them any more. For an account that has a certificate alone, the recovery key alone opens it.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat keys verify bob', 'the number to compare with bob'],
    ['chat keys rotate', 'new keys, after a machine was lost'],
  ],
  subcommands: [
    {
      name: 'verify',
      summary: 'compare safety numbers with somebody',
      load: async () => (await import('./keys/verify.ts')).verify,
    },
    {
      name: 'backup',
      summary: 'make a new recovery key',
      load: async () => (await import('./keys/backup.ts')).backup,
    },
    {
      name: 'restore',
      summary: 'bring the keys to this machine',
      load: async () => (await import('./keys/restore.ts')).restore,
    },
    {
      name: 'rotate',
      summary: 'begin new keys',
      load: async () => (await import('./keys/rotate.ts')).rotate,
    },
  ],
  async run(_args, context) {
    return await withSession(context, async ({ username }) => {
      const { own } = await keysHere(context, username);
      const { record, backupVersion, pins } = own;
      const at = new Date(record.at).toISOString();
      const known = [...pins].map(([user, { isVerified, seq }]) => ({ user, seq, verified: isVerified }));
      const rows = [
        ['own', `epoch ${record.epoch}, since ${lineTime(at)}`],
        ...known.map(({ user, verified }) => [`@${user}`, verified ? 'verified' : 'not compared']),
      ];
      await context.output.result(
        {
          username,
          epoch: record.epoch,
          seq: record.seq,
          made_at: at,
          backup_version: backupVersion,
          known,
        },
        tableLines(rows, context.host.stdout),
      );
      return exitOk;
    });
  },
});
