import { ChatError } from '../../core/errors.ts';
import type { Terms } from '../../core/model/terms.ts';
import { parseUsername } from '../../core/model/username.ts';
import { elsewhereOptions, namedFiles } from '../certificate-elsewhere.ts';
import { certificateOption, checkCertificateServer, logInByKept } from '../certificate-login.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { inviteFrom } from '../invite.ts';
import { checkStateBeforeLogin, logIn, warnOf } from '../log-in.ts';
import type { OptionTable, OptionValues } from '../options.ts';
import type { SavedLogin } from '../profile.ts';
import { checkNewRecoveryFile, hasRecoveryKey, recoveryOption } from '../recovery-file.ts';
import { registerKey, registerNamed } from '../register-key.ts';
import { certificateFilesOf } from '../renew-certificate.ts';
import { checkPasswordSource, passwordOptions, readName, readPassword, refusePassword } from '../secret.ts';
import { withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';
import { acceptTerms } from '../terms.ts';

const options = {
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
  ...elsewhereOptions,
  'ignore-exists': {
    type: 'flag',
    describe: 'when the name is taken, log in instead: for scripts that run twice',
  },
  ...recoveryOption,
  ...passwordOptions,
} as const satisfies OptionTable;

type Values = OptionValues<typeof options>;

/** Creates an account and logs in. */
export const register = command({
  usage: ['register [NAME] [flags]', 'register [NAME] --certificate [flags]'],
  description:
    'Creates an account and logs in. The password never leaves this machine: the server gets what it needs to check it. ' +
    'NAME is asked at a terminal when it is missing; the password is asked twice. The keys of private messages are made here too, and their ' +
    'recovery key is shown once: when the password is lost, nobody can read old private messages without it. With --certificate there is ' +
    'no password: a key is made here, and the server signs a certificate over it. Who loses the key needs a code from an administrator, and ' +
    'the recovery key for old private messages: a certificate does not open them on another machine.',
  options,
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat register alice', 'asks for the password'],
    ['chat register alice --invite K7QM-2F0V-…', 'where an administrator has to have invited you'],
    ['chat register bot --password-file pw --ignore-exists', 'in a script, as often as it runs'],
    ['chat register bot --certificate', 'an account without a password, for this machine'],
  ],
  async run({ options, operands }, context) {
    const [name] = operands;
    namedFiles(options);
    await checkRecoveryFile(options);
    return await (options.certificate ? withCertificate : withPassword)(context, options, name);
  },
});

/** Before there is an account whose keys it is for; a script that runs again has its file already. */
async function checkRecoveryFile(options: Values): Promise<void> {
  const file = options['recovery-file'];
  if (file === undefined) return;
  if (!(options['ignore-exists'] && (await hasRecoveryKey(file)))) await checkNewRecoveryFile(file);
}

async function withPassword(
  context: CommandContext,
  options: Values,
  name: string | undefined,
): Promise<number> {
  checkPasswordSource(options, context.host);
  const username = parseUsername(await readName(context, name), 'NAME');
  await checkStateBeforeLogin(context);
  const password = await readPassword(context, options, true);
  return await withConnection(context, (connection) =>
    createAndEnter(context, options['ignore-exists'], {
      async create() {
        try {
          await context.host.client.register(connection, {
            username,
            password,
            ...wishesOf(context, options),
            onProgress: showStretching(context),
            onWarning: warnOf(context),
          });
        } finally {
          context.output.progress(undefined);
        }
      },
      enter: (isNew) =>
        logIn(context, connection, {
          username,
          password,
          device: options.device,
          otp: undefined,
          recoveryFile: options['recovery-file'],
          onLoggedIn: telling(context, isNew),
        }),
    }),
  );
}

/** Document 5's way: the key is made here, and the login is a new connection that shows the certificate over it. */
async function withCertificate(
  context: CommandContext,
  options: Values,
  name: string | undefined,
): Promise<number> {
  checkCertificateServer(context);
  refusePassword(options, 'certificate', 'the key takes the place of a password');
  const username = parseUsername(await readName(context, name), 'NAME');
  await checkStateBeforeLogin(context);
  const { device } = options;
  const registration = { username, device, ...wishesOf(context, options) };
  const named = namedFiles(options);
  return await createAndEnter(context, options['ignore-exists'], {
    create: () =>
      named ? registerNamed(context, { ...registration, named }) : registerKey(context, registration),
    enter: (isNew) =>
      logInByKept(context, {
        username,
        device,
        otp: undefined,
        named,
        recoveryFile: options['recovery-file'],
        async onLoggedIn(opened) {
          await telling(context, isNew)(opened);
          if (!isNew) return;
          const { keyPath, certificatePath } = certificateFilesOf(context, username);
          const key = named?.key ?? keyPath;
          const certificate = named?.certificate ?? certificatePath;
          await context.output.note(
            `the key is ${key}, and its certificate ${certificate}: keep a copy of both, for without them it takes a code, from an administrator or by mail to a confirmed address`,
          );
        },
      }),
  });
}

/** What is told to the server besides who it is, or asked of a person. */
const wishesOf = (context: CommandContext, options: Values) => ({
  email: options.email,
  invite: options.invite,
  askInvite: inviteFrom(context.host),
  acceptTerms: (terms: Terms) => acceptTerms(context, terms, options['accept-terms']),
});

/** Says what has become of it as soon as somebody is logged in. */
const telling =
  ({ output }: CommandContext, isNew: boolean) =>
  ({ username }: SavedLogin) =>
    output.note(isNew ? `registered and logged in as ${username}` : `${username} exists; logged in`);

/** Makes an account, or finds that there may be one, and logs in to it; `isNew` says which. */
async function createAndEnter(
  { output }: CommandContext,
  ignoreExists: boolean,
  {
    create,
    enter,
  }: { readonly create: () => Promise<void>; readonly enter: (isNew: boolean) => Promise<SavedLogin> },
): Promise<number> {
  const refusal = await createUnlessTaken(ignoreExists, create);
  const created = refusal === undefined;
  const login = await enter(created).catch((error: unknown) => {
    // Who cannot log in either has no account: then this is why there is none.
    throw refusal?.code === 'forbidden' ? refusal : error;
  });
  const { user_id, username, session_id, expires_at, device_id } = login;
  if (output.format === 'json')
    await output.result({ user_id, username, created, session_id, device_id, expires_at }, []);
  return exitOk;
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
