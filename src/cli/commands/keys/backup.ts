import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { keysHere } from '../../keys-here.ts';
import { otpOption } from '../../one-time-code.ts';
import { checkNewRecoveryFile, newRecoveryOption } from '../../recovery-file.ts';
import { withNewRecoveryKey } from '../../recovery-key.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { callTimeoutMs, withSession } from '../../session.ts';

/** Makes a new recovery key. */
export const backup = command({
  usage: ['keys backup [--recovery-file FILE] [flags]'],
  description:
    'Makes a new recovery key for the sealed backup of the keys on the server, and prints it this once, or writes it into FILE; the one before ' +
    'opens nothing that the server keeps as soon as this has ended well (a copy of the backup from before it still does). For a private account the password opens the backup too, from now on the ' +
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
      const password = await readProofPassword(context, options);
      const [{ wrapAnew }, { stretchForBackup }] = await Promise.all([
        import('../../../client/keys/change-keys.ts'),
        import('../../../client/keys/stretch-password.ts'),
      ]);
      const { privacy } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
      await withNewRecoveryKey(context, { file, result: () => ({}) }, (recovery) =>
        wrapAnew(connection, {
          store,
          prove: () => freshProof(context, session, password, options.otp),
          password: privacy === 'private' ? password : undefined,
          // Who proves himself with a certificate has not said what the password is.
          keepsPassword: privacy === 'private' && password === undefined,
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
