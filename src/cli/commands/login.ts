import { parseUsername } from '../../core/model/username.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { checkStateBeforeLogin, logIn } from '../log-in.ts';
import { otpOption } from '../one-time-code.ts';
import { recoveryOption } from '../recovery-file.ts';
import { checkPasswordSource, passwordOptions, readName, readPassword } from '../secret.ts';
import { withConnection } from '../session.ts';

/** Logs in with a password and keeps the session. */
export const login = command({
  usage: ['login [NAME] [flags]'],
  description:
    'Logs in with a password and keeps the session for the commands after it. Replaces the login kept for this server ' +
    'and context; the session of another account that was kept there is ended. The keys of private messages come along: made and ' +
    "published at an account's first login with chat, and on another machine brought from their sealed backup by the password, or by " +
    'the recovery key when that was lost. Without both, old private messages cannot be read any more.',
  options: {
    device: {
      type: 'text',
      value: 'LABEL',
      describe: "this device's name in the list of sessions; default: the one that it has, or the machine's",
    },
    ...otpOption,
    ...recoveryOption,
    ...passwordOptions,
  },
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat login alice', 'asks for the password'],
    ['pass chat | chat login alice --password-stdin', 'in a script'],
  ],
  async run({ options, operands }, context) {
    checkPasswordSource(options, context.host);
    const username = parseUsername(await readName(context, operands[0]), 'NAME');
    await checkStateBeforeLogin(context);
    const password = await readPassword(context, options, false);
    return await withConnection(context, async (connection) => {
      const { device, otp, 'recovery-file': recoveryFile } = options;
      const saved = await logIn(context, connection, {
        username,
        password,
        device,
        otp,
        recoveryFile,
        onLoggedIn: (login) => context.output.note(`logged in as ${login.username}`),
      });
      const { user_id, session_id, expires_at, device_id } = saved;
      if (context.output.format === 'json') {
        await context.output.result(
          { user_id, username: saved.username, session_id, device_id, expires_at },
          [],
        );
      }
      return exitOk;
    });
  },
});
