import { readBackupPassword } from '../../backup-password.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { keysHere } from '../../keys-here.ts';
import { otpOption } from '../../one-time-code.ts';
import { checkNewRecoveryFile, newRecoveryOption } from '../../recovery-file.ts';
import { withNewRecoveryKey } from '../../recovery-key.ts';
import { checkProofSource, passwordOptions } from '../../secret.ts';
import { withSession } from '../../session.ts';

/** Makes a new recovery key. */
export const backup = command({
  usage: ['keys backup [--recovery-file FILE] [flags]'],
  description:
    'Makes a new recovery key for the sealed backup of the keys on the server, and prints it this once, or writes it into FILE; the one before ' +
    'opens nothing any more as soon as this has ended well: the backup has another key then. For a private account the password opens the backup too, from now on the ' +
    'one it has now. Keep the recovery key where you would look without this machine: if the password is lost, or this machine where no ' +
    'password opens the backup, nobody can read old private messages without it.',
  options: { ...newRecoveryOption, ...otpOption, ...passwordOptions },
  operands: noOperands,
  examples: [
    ['chat keys backup', 'asks for the password, and shows the recovery key'],
    ['chat keys backup --recovery-file key --password-file pw', 'in a script'],
  ],
  async run({ options }, context) {
    const file = options['recovery-file'];
    if (file !== undefined) await checkNewRecoveryFile(file);
    await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      const { connection, username } = session;
      const { store } = await keysHere(context, username);
      const password = await readBackupPassword(context, session, options);
      const [{ sealAnew }, { stretchForBackup }] = await Promise.all([
        import('../../../client/keys/change-keys.ts'),
        import('../../../client/keys/stretch-password.ts'),
      ]);
      await withNewRecoveryKey(context, { file, result: () => ({}) }, (recovery) =>
        sealAnew(connection, {
          store,
          prove: () => freshProof(context, session, password.proof, options.otp),
          password: password.wrap,
          stretch: stretchForBackup,
          recovery,
        }),
      );
      const where =
        file === undefined ? 'this recovery key is shown this once' : `the recovery key is in ${file}`;
      await context.output.note(`${where}; the one before opens nothing any more`);
      return exitOk;
    });
  },
});
