import { type CommandContext, command, noOperands } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { freshProof } from '../../fresh-proof.ts';
import { canPrompt } from '../../host.ts';
import { lineTime } from '../../message-text.ts';
import { otpOption } from '../../one-time-code.ts';
import { refuseBoth, usageError } from '../../options.ts';
import { checkProofSource, passwordOptions, readProofPassword } from '../../secret.ts';
import { callTimeoutMs, type LoggedIn, profileOf, withSession } from '../../session.ts';

/** Makes sure that it is meant: the name is typed, or `--yes` says so. */
async function confirm({ host, output }: CommandContext, username: string): Promise<void> {
  await output.log(
    `This erases the account ${username}: its sessions, keys and memberships, and the text of all that it has sent. ` +
      'Nobody can take the name again. Save what is yours before: chat account export',
  );
  const typed = (await host.prompts.text(`Type ${username} to erase it`)).trim();
  if (typed !== username) throw usageError('that is not the name of the account; nothing was done');
}

/** The kept login has ended with all others; CHAT_TOKEN may have named another one. */
async function forget(context: CommandContext, { username }: LoggedIn): Promise<void> {
  const profile = profileOf(context);
  await profile.locked(async () => {
    if ((await profile.load())?.username === username) await profile.remove();
  });
}

/** Erases the account that is logged in, or keeps one that was to be erased. */
export const eraseAccount = command({
  usage: ['account erase [--yes] [flags]', 'account erase --cancel'],
  description:
    'Erases the account that is logged in, when the time is over that the server gives to think it over, and ends all its ' +
    'sessions at once. Asks for its name and for the password. Until it is erased, chat login and chat account erase --cancel keep it.',
  options: {
    yes: { type: 'flag', describe: 'do not ask for the name: for scripts' },
    cancel: { type: 'flag', describe: 'keep an account that was to be erased' },
    ...otpOption,
    ...passwordOptions,
  },
  operands: noOperands,
  examples: [
    ['chat account erase', 'asks for the name and the password'],
    ['chat account erase --yes --password-file pw', 'in a script'],
    ['chat account erase --cancel', 'after chat login, within the time to think it over'],
  ],
  async run({ options }, context) {
    refuseBoth(options, 'yes', 'cancel', 'either it goes or it stays');
    const { host, output } = context;
    if (options.cancel) {
      return await withSession(context, async ({ connection, username }) => {
        await connection.call('account.cancel-erase', {}, { timeoutMs: callTimeoutMs });
        await output.note(`the account ${username} is kept`);
        if (output.format === 'json') await output.result({ username, erases_at: null }, []);
        return exitOk;
      });
    }
    await checkProofSource(context, options);
    if (!options.yes && !canPrompt(host)) {
      throw usageError('nobody can be asked whether this is meant: give --yes', '--yes');
    }
    return await withSession(context, async (session) => {
      const { username } = session;
      if (!options.yes) await confirm(context, username);
      const password = await readProofPassword(context, options);
      const proof = await freshProof(context, session, password, options.otp);
      const { erases_at } = await session.connection.call(
        'account.erase',
        { proof },
        { timeoutMs: callTimeoutMs },
      );
      await forget(context, session);
      const isNow = Date.parse(erases_at) <= host.now();
      await output.note(
        isNow
          ? `the account ${username} is being erased`
          : `the account ${username} is to be erased at ${lineTime(erases_at)}; until then chat login and chat account erase --cancel keep it`,
      );
      if (output.format === 'json') await output.result({ username, erases_at }, []);
      return exitOk;
    });
  },
});
