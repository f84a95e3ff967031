import { ChatError } from '../../core/errors.ts';
import { parseUsername } from '../../core/model/username.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { inviteFrom } from '../invite.ts';
import { checkStateBeforeLogin, logIn, warnOf } from '../log-in.ts';
import { recoveryOption } from '../recovery-file.ts';
import { checkPasswordSource, passwordOptions, readName, readPassword } from '../secret.ts';
import { withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';
import { acceptTerms } from '../terms.ts';

/** Creates an account and logs in. */
export const register = command({
  usage: ['register [NAME] [flags]'],
  description:
    'Creates an account and logs in. The password never leaves this machine: the server gets what it needs to check it. ' +
    'NAME is asked at a terminal when it is missing; the password is asked twice. The keys of private messages are made here too, and their ' +
    'recovery key is shown once: when the password is lost, nobody can read old private messages without it.',
  options: {
    email: { type: 'text', value: 'ADDRESS', describe: 'an e-mail address to keep with the account' },
    device: {
      type: 'text',
      value: 'LABEL',
      describe: "this device's name in the list of sessions; default: the machine's",
    },
    invite: {
      type: 'text',
      value: 'CODE',
      describe: 'the code from an administrator, where one is needed; asked for at a terminal',
    },
    'accept-terms': {
      type: 'flag',
      describe: 'accept the terms of the server, where it has any, without being asked',
    },
    'ignore-exists': {
      type: 'flag',
      describe: 'when the name is taken, log in with the password instead: for scripts that run twice',
    },
    ...recoveryOption,
    ...passwordOptions,
  },
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat register alice', 'asks for the password'],
    ['chat register alice --invite K7QM-2F0V-…', 'where an administrator has to have invited you'],
    ['chat register bot --password-file pw --ignore-exists', 'in a script, as often as it runs'],
  ],
  async run({ options, operands }, context) {
    const { client } = context.host;
    checkPasswordSource(options, context.host);
    const username = parseUsername(await readName(context, operands[0]), 'NAME');
    await checkStateBeforeLogin(context);
    const password = await readPassword(context, options, true);
    return await withConnection(context, async (connection) => {
      const refusal = await createUnlessTaken(options['ignore-exists'], async () => {
        await client.register(connection, {
          username,
          password,
          onProgress: showStretching(context),
          onWarning: warnOf(context),
          invite: options.invite,
          askInvite: inviteFrom(context.host),
          acceptTerms: (terms) => acceptTerms(context, terms, options['accept-terms']),
          ...(options.email === undefined ? {} : { email: options.email }),
        });
      });
      context.output.progress(undefined);
      const login = await logIn(context, connection, {
        username,
        password,
        device: options.device,
        otp: undefined,
        recoveryFile: options['recovery-file'],
        onLoggedIn: ({ username: name }) =>
          context.output.note(
            refusal === undefined ? `registered and logged in as ${name}` : `${name} exists; logged in`,
          ),
      }).catch((error: unknown) => {
        // Who cannot log in either has no account: then this is why there is none.
        throw refusal?.code === 'forbidden' ? refusal : error;
      });
      const created = refusal === undefined;
      const { user_id, session_id, expires_at, device_id } = login;
      if (context.output.format === 'json') {
        await context.output.result(
          { user_id, username: login.username, created, session_id, device_id, expires_at },
          [],
        );
      }
      return exitOk;
    });
  },
});

/** Answers why no account was made, when that may be because there is one: the name is taken, or the invite has been used for it. */
async function createUnlessTaken(
  ignoreExists: boolean,
  create: () => Promise<void>,
): Promise<ChatError | undefined> {
  try {
    await create();
    return undefined;
  } catch (error) {
    const mayExist = error instanceof ChatError && (error.code === 'conflict' || error.code === 'forbidden');
    if (ignoreExists && mayExist) return error;
    throw error;
  }
}
