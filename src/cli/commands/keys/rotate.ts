import { parseUsername } from '../../../core/model/username.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { canPrompt } from '../../host.ts';
import { keyStoreHere, keysHere } from '../../keys-here.ts';
import { otpOption } from '../../one-time-code.ts';
import { usageError } from '../../options.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { callTimeoutMs, type LoggedIn, withSession } from '../../session.ts';

const newIdentityText =
  'With a new identity, old private messages can never be read again, and everybody who writes to you is stopped until they trust it ' +
  '(chat trust). It is for an account whose keys, password wrap and recovery key are all lost.';

async function begin(
  context: CommandContext,
  session: LoggedIn,
  password: string | undefined,
  otp: string | undefined,
): Promise<void> {
  const { connection, username } = session;
  const store = await keyStoreHere(context, username);
  const [{ renewIdentity }, { stretchForBackup }] = await Promise.all([
    import('../../../client/keys/change-keys.ts'),
    import('../../../client/keys/stretch-password.ts'),
  ]);
  const { privacy } = await connection.call('account.me', {}, { timeoutMs: callTimeoutMs });
  const owner = { realm: store.realm, user: parseUsername(username) };
  const { file, recoveryKey } = await renewIdentity(connection, owner, {
    store,
    prove: () => freshProof(context, session, password, otp),
    password: privacy === 'private' ? password : undefined,
    stretch: stretchForBackup,
  });
  const { epoch, seq } = file.record;
  await context.output.result({ username, epoch, seq, recovery_key: recoveryKey }, recoveryKey);
  await context.output.note('this is the recovery key of the new keys, shown this once');
}

async function next(
  context: CommandContext,
  session: LoggedIn,
  password: string | undefined,
  otp: string | undefined,
): Promise<void> {
  const { store } = await keysHere(context, session.username);
  const { rotateKeys } = await import('../../../client/keys/change-keys.ts');
  const { record } = await rotateKeys(session.connection, {
    store,
    prove: () => freshProof(context, session, password, otp),
  });
  const { epoch, seq } = record;
  await context.output.note(
    `epoch ${epoch} has begun; other machines of yours get it at their next chat login`,
  );
  if (context.output.format === 'json')
    await context.output.result({ username: session.username, epoch, seq }, []);
}

/** Begins new keys. */
export const rotate = command({
  usage: ['keys rotate [flags]', 'keys rotate --new-identity [flags]'],
  description:
    'Begins a new epoch: another key to encrypt for, under the same identity, so that nobody has to trust anything anew. Whoever writes to you ' +
    'fetches it by itself. Do it when a machine with your keys was lost. Old messages stay readable, here and there: they are for the ' +
    `keys before. ${newIdentityText}`,
  options: {
    'new-identity': { type: 'flag', describe: 'begin anew when all keys are lost' },
    yes: { type: 'flag', describe: 'with --new-identity: do not ask' },
    ...otpOption,
    ...passwordOptions,
  },
  operands: noOperands,
  examples: [['chat keys rotate', 'asks for the password']],
  async run({ options, operands: _none }, context) {
    await checkProofSource(context, options);
    const isNew = options['new-identity'];
    if (options.yes && !isNew) throw usageError('--yes goes with --new-identity', '--yes');
    if (isNew && !options.yes) {
      if (!canPrompt(context.host)) throw usageError('--new-identity needs --yes in a script', '--yes');
      if (!(await context.host.prompts.confirm(`${newIdentityText} Go on?`)))
        throw usageError('nothing was changed');
    }
    return await withSession(context, async (session) => {
      const password = await readProofPassword(context, options);
      await (isNew ? begin : next)(context, session, password, options.otp);
      return exitOk;
    });
  },
});
