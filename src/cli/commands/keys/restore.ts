import { ChatError } from '../../../core/errors.ts';
import { parseUsername } from '../../../core/model/username.ts';
import { command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { keyStoreHere } from '../../keys-here.ts';
import { otpOption } from '../../one-time-code.ts';
import { recoveryOption } from '../../recovery-file.ts';
import { recoverySource } from '../../recovery-key.ts';
import { rewrapBackup } from '../../rewrap-backup.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { withSession } from '../../session.ts';

/** Brings the keys of private messages to this machine. */
export const restore = command({
  usage: ['keys restore [--recovery-file FILE] [flags]'],
  description:
    'Brings the keys of private messages to this machine from their sealed backup on the server: with the password, or with the recovery key, ' +
    'which is asked for when the password does not open it (it was set anew, or the account is open) and after a login by certificate. A recovery key that is not the ' +
    "account's is refused, and nothing is changed. From then on the password of a private account opens the backup again.",
  options: { ...recoveryOption, ...otpOption, ...passwordOptions },
  operands: noOperands,
  examples: [
    ['chat keys restore', 'asks for the password, then for the recovery key if it takes one'],
    ['chat keys restore --password-file pw --recovery-file key', 'in a script'],
  ],
  async run({ options }, context) {
    await checkProofSource(context, options);
    return await withSession(context, async (session) => {
      const { connection, username } = session;
      const store = await keyStoreHere(context, username);
      const password = await readProofPassword(context, options);
      const recovery = options['recovery-file'];
      const restored = await context.host.client.setUpKeys(connection, {
        owner: { realm: store.realm, user: parseUsername(username) },
        store,
        password,
        askRecoveryKey: recoverySource(context, recovery),
        prove: () => freshProof(context, session, password, options.otp),
        recovery: { keep: refuseNew, drop: async () => {} },
      });
      if (restored.kind === 'locked') {
        throw new ChatError(
          'forbidden',
          'this takes the recovery key of your private messages, and none was given: --recovery-file FILE has it in a script; when all that ' +
            'opens the backup of the keys is lost, chat keys rotate --new-identity begins anew',
        );
      }
      const isNew = restored.kind !== 'kept';
      await context.output.note(
        isNew ? 'the keys of your private messages are on this machine now' : 'the keys are here already',
      );
      if (restored.kind === 'recovered' && password !== undefined)
        await rewrapBackup(context, session, { store, password });
      if (context.output.format === 'json') {
        const { epoch, seq } = restored.file.record;
        await context.output.result({ username, restored: isNew, epoch, seq }, []);
      }
      return exitOk;
    });
  },
});

/** Restoring makes no keys: whoever has none yet is told how they are made. */
async function refuseNew(): Promise<never> {
  throw new ChatError('not-found', 'this account has no keys yet: chat login makes them');
}
