import type { RecoverableKeys } from '../../../client/keys/recovery-keeper.ts';
import { parseUsername } from '../../../core/model/username.ts';
import { type BackupPassword, readBackupPassword } from '../../backup-password.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { canPrompt } from '../../host.ts';
import { keyStoreHere, keysHere } from '../../keys-here.ts';
import { otpOption } from '../../one-time-code.ts';
import { type OptionTable, type OptionValues, usageError } from '../../options.ts';
import { checkNewRecoveryFile, newRecoveryOption } from '../../recovery-file.ts';
import { withNewRecoveryKey } from '../../recovery-key.ts';
import { checkProofSource, passwordOptions } from '../../secret.ts';
import { type LoggedIn, withSession } from '../../session.ts';

const newIdentityText =
  'With a new identity, old private messages can never be read again, and everybody who writes to you is stopped until they trust it ' +
  '(chat trust). It is for an account that has lost its keys and all that opens their backup.';

const options = {
  'new-identity': { type: 'flag', describe: 'begin anew when all keys are lost' },
  yes: { type: 'flag', describe: 'with --new-identity: do not ask' },
  ...newRecoveryOption,
  ...otpOption,
  ...passwordOptions,
} as const satisfies OptionTable;

type Values = OptionValues<typeof options>;

/** Who changes the keys, and what for. */
interface Change {
  readonly session: LoggedIn;
  readonly password: BackupPassword;
  readonly options: Values;
}

const proving =
  (context: CommandContext, { session, password, options }: Change) =>
  () =>
    freshProof(context, session, password.proof, options.otp);

async function begin(context: CommandContext, change: Change): Promise<void> {
  const { session, password, options } = change;
  const { connection, username } = session;
  const store = await keyStoreHere(context, username);
  const [{ renewIdentity }, { stretchForBackup }] = await Promise.all([
    import('../../../client/keys/change-keys.ts'),
    import('../../../client/keys/stretch-password.ts'),
  ]);
  const owner = { realm: store.realm, user: parseUsername(username) };
  const file = options['recovery-file'];
  const made = {
    file,
    result: ({ record: { epoch, seq } }: RecoverableKeys) => ({ username, epoch, seq }),
  };
  await withNewRecoveryKey(context, made, async (recovery) => {
    await renewIdentity(connection, owner, {
      store,
      prove: proving(context, change),
      password: password.wrap,
      stretch: stretchForBackup,
      recovery,
    });
  });
  await context.output.note(
    file === undefined
      ? 'this is the recovery key of the new keys, shown this once'
      : `the recovery key of the new keys is in ${file}`,
  );
}

async function next(context: CommandContext, change: Change): Promise<void> {
  const { connection, username } = change.session;
  const { store } = await keysHere(context, username);
  const [{ rotateKeys }, { stretchForBackup }] = await Promise.all([
    import('../../../client/keys/change-keys.ts'),
    import('../../../client/keys/stretch-password.ts'),
  ]);
  const { record } = await rotateKeys(connection, {
    store,
    prove: proving(context, change),
    password: change.password.wrap,
    stretch: stretchForBackup,
  });
  const { epoch, seq } = record;
  await context.output.note(
    `epoch ${epoch} has begun; other machines of yours get it at their next chat login; end the login of a lost one with chat sessions revoke. The identity stays: who has lost keys of yours can still sign as you, which --new-identity ends`,
  );
  if (context.output.format === 'json') await context.output.result({ username, epoch, seq }, []);
}

/** Begins new keys. */
export const rotate = command({
  usage: ['keys rotate [flags]', 'keys rotate --new-identity [--recovery-file FILE] [flags]'],
  description:
    'Begins a new epoch: another key to encrypt for, under the same identity, so that nobody has to trust anything anew. Whoever writes to you ' +
    'fetches it by itself. Do it when a machine with your keys was lost. Old messages stay readable, here and there: they are for the ' +
    'keys before. The sealed backup gets another key too. Who has the lost keys can still sign as you: ' +
    `only --new-identity ends that. End the login of the lost machine as well (chat sessions revoke). ${newIdentityText} Its new recovery key is printed this once, or written into FILE.`,
  options,
  operands: noOperands,
  examples: [
    ['chat keys rotate', 'asks for the password'],
    ['chat keys rotate --new-identity', 'when all keys are lost: says what that means, and asks'],
  ],
  async run({ options }, context) {
    const isNew = options['new-identity'];
    for (const flag of ['yes', 'recovery-file'] as const) {
      if (options[flag] && !isNew) throw usageError(`--${flag} goes with --new-identity`, `--${flag}`);
    }
    const file = options['recovery-file'];
    if (file !== undefined) await checkNewRecoveryFile(file);
    await checkProofSource(context, options);
    if (isNew && !options.yes) {
      if (!canPrompt(context.host)) throw usageError('--new-identity needs --yes in a script', '--yes');
      await context.output.log(newIdentityText);
      if (!(await context.host.prompts.confirm('Go on?'))) throw usageError('nothing was changed');
    }
    return await withSession(context, async (session) => {
      const change = { session, password: await readBackupPassword(context, session, options), options };
      await (isNew ? begin : next)(context, change);
      return exitOk;
    });
  },
});
