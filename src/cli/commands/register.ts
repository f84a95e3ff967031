import { ChatError } from '../../core/errors.ts';
import { parseUsername } from '../../core/model/username.ts';
import { certificateOption, checkCertificateServer, logInByKept } from '../certificate-login.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { inviteFrom } from '../invite.ts';
import { checkStateBeforeLogin, logIn, warnOf } from '../log-in.ts';
import { usageError } from '../options.ts';
import type { SavedLogin } from '../profile.ts';
import { recoveryOption } from '../recovery-file.ts';
import { registerKey } from '../register-key.ts';
import { certificateFilesOf } from '../renew-certificate.ts';
import { checkPasswordSource, passwordOptions, readName, readPassword } from '../secret.ts';
import { withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';
import { acceptTerms } from '../terms.ts';

/** Creates an account and logs in. */
export const register = command({
  usage: ['register [NAME] [flags]', 'register [NAME] --certificate'],
  description:
    'Creates an account and logs in. The password never leaves this machine: the server gets what it needs to check it. ' +
    'NAME is asked at a terminal when it is missing; the password is asked twice. The keys of private messages are made here too, and their ' +
    'recovery key is shown once: when the password is lost, nobody can read old private messages without it. With --certificate there is ' +
    'no password: a key is made here, and the server signs a certificate over it. Who loses the key needs a code from an administrator.',
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
    ...certificateOption,
    'ignore-exists': {
      type: 'flag',
      describe: 'when the name is taken, log in instead: for scripts that run twice',
    },
    ...recoveryOption,
    ...passwordOptions,
  },
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat register alice', 'asks for the password'],
    ['chat register alice --invite K7QM-2F0V-…', 'where an administrator has to have invited you'],
    ['chat register bot --password-file pw --ignore-exists', 'in a script, as often as it runs'],
    ['chat register bot --certificate', 'an account without a password, for this machine'],
  ],
  async run({ options, operands }, context) {
    const { client } = context.host;
    if (options.certificate) return await withCertificate(context, options, operands[0]);
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
        onLoggedIn: telling(context, refusal === undefined),
      }).catch((error: unknown) => {
        // Who cannot log in either has no account: then this is why there is none.
        throw refusal?.code === 'forbidden' ? refusal : error;
      });
      return await show(context, login, refusal === undefined);
    });
  },
});

/** Says what has become of it as soon as somebody is logged in. */
const telling =
  ({ output }: CommandContext, created: boolean) =>
  ({ username }: SavedLogin) =>
    output.note(created ? `registered and logged in as ${username}` : `${username} exists; logged in`);

async function show({ output }: CommandContext, login: SavedLogin, created: boolean): Promise<number> {
  const { user_id, username, session_id, expires_at, device_id } = login;
  if (output.format === 'json')
    await output.result({ user_id, username, created, session_id, device_id, expires_at }, []);
  return exitOk;
}

/** Document 5's way: the key is made here, and the login is a new connection that shows the certificate over it. */
async function withCertificate(
  context: CommandContext,
  options: {
    readonly email: string | undefined;
    readonly device: string | undefined;
    readonly invite: string | undefined;
    readonly 'accept-terms': boolean;
    readonly 'ignore-exists': boolean;
    readonly 'recovery-file': string | undefined;
    readonly 'password-stdin': boolean;
    readonly 'password-file': string | undefined;
  },
  name: string | undefined,
): Promise<number> {
  checkCertificateServer(context);
  for (const flag of ['password-stdin', 'password-file'] as const) {
    if (options[flag]) throw usageError(`--certificate and --${flag} cannot be given together`, `--${flag}`);
  }
  const username = parseUsername(await readName(context, name), 'NAME');
  await checkStateBeforeLogin(context);
  const refusal = await createUnlessTaken(options['ignore-exists'], () =>
    registerKey(context, {
      username,
      email: options.email,
      device: options.device,
      invite: options.invite,
      askInvite: inviteFrom(context.host),
      acceptTerms: (terms) => acceptTerms(context, terms, options['accept-terms']),
    }),
  );
  const created = refusal === undefined;
  const { keyPath } = certificateFilesOf(context, username);
  const { device, 'recovery-file': recoveryFile } = options;
  const login = await logInByKept(context, {
    username,
    device,
    otp: undefined,
    recoveryFile,
    onLoggedIn: async (opened) => {
      await telling(context, created)(opened);
      if (!created) return;
      await context.output.note(
        `the key is ${keyPath}: keep a copy, for without it only an administrator can help`,
      );
    },
  }).catch((error: unknown) => {
    throw refusal?.code === 'forbidden' ? refusal : error;
  });
  return await show(context, login, created);
}

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
