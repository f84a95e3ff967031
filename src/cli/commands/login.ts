import { parseUsername } from '../../core/model/username.ts';
import { isRefusedCertificate } from '../certificate-advice.ts';
import { elsewhereOptions, namedFiles } from '../certificate-elsewhere.ts';
import {
  certificateOption,
  checkCertificateServer,
  logInAndIssue,
  logInByKept,
} from '../certificate-login.ts';
import { type CommandContext, command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { canPrompt } from '../host.ts';
import type { NamedFiles } from '../kept-certificate.ts';
import { checkStateBeforeLogin, type LoginRequest, logIn } from '../log-in.ts';
import { otpOption } from '../one-time-code.ts';
import { type OptionTable, type OptionValues, refuseBoth, usageError } from '../options.ts';
import type { SavedLogin } from '../profile.ts';
import { recoveryOption } from '../recovery-file.ts';
import { certificateFilesOf } from '../renew-certificate.ts';
import { checkPasswordSource, namesPassword, passwordOptions, readName, readPassword } from '../secret.ts';
import { withConnection } from '../session.ts';

const options = {
  device: {
    type: 'text',
    value: 'LABEL',
    describe: "this device's name in the list of sessions; default: the one that it has, or the machine's",
  },
  ...certificateOption,
  new: {
    type: 'flag',
    describe:
      'with --certificate: have another one signed over a new key, for the one that is kept here or for the password',
  },
  ...elsewhereOptions,
  ...otpOption,
  ...recoveryOption,
  ...passwordOptions,
} as const satisfies OptionTable;

/** Logs in with a password, or with a certificate, and keeps the session. */
export const login = command({
  usage: [
    'login [NAME] [flags]',
    'login [NAME] --certificate [--new]',
    'login [NAME] --certificate --certificate-file FILE [--key-file FILE]',
  ],
  description:
    'Logs in with a password and keeps the session for the commands after it. Replaces the login kept for this server ' +
    'and context; the session of another account that was kept there is ended. The keys of private messages come along: made and ' +
    "published at an account's first login with chat, and on another machine brought from their sealed backup by the password, or by " +
    'the recovery key when that was lost. Without both, old private messages cannot be read any more. With --certificate the first login ' +
    'takes the password and has a certificate signed; later ones take the certificate alone, which is renewed by itself. One from elsewhere, ' +
    'whose key the account has (chat sessions certificate add), is named with --certificate-file, and later logins go by it.',
  options,
  operands: { min: 0, max: 1, names: 'NAME' },
  examples: [
    ['chat login alice', 'asks for the password'],
    ['pass chat | chat login alice --password-stdin', 'in a script'],
    ['chat login alice --certificate', 'asks for the password once, and never again on this machine'],
  ],
  async run({ options, operands }, context) {
    if (options.new && !options.certificate) {
      throw usageError('--new is for --certificate: it says of which there is to be a new one', '--new');
    }
    const named = namedFiles(options);
    refuseBoth(options, 'new', 'certificate-file', 'a new one is made here');
    const saved = options.certificate
      ? await byCertificate(context, { ...options, named }, operands[0])
      : await byPassword(context, options, operands[0]);
    const { user_id, session_id, expires_at, device_id } = saved;
    if (context.output.format === 'json') {
      await context.output.result(
        { user_id, username: saved.username, session_id, device_id, expires_at },
        [],
      );
    }
    return exitOk;
  },
});

async function byPassword(
  context: CommandContext,
  options: OptionValues<typeof passwordOptions> & LoginWishes,
  name: string | undefined,
): Promise<SavedLogin> {
  checkPasswordSource(options, context.host);
  const username = parseUsername(await readName(context, name), 'NAME');
  await checkStateBeforeLogin(context);
  const password = await readPassword(context, options, false);
  return await withConnection(context, (connection) =>
    logIn(context, connection, { username, password, ...wishesOf(context, options) }),
  );
}

/** With the certificate that is kept, or for a password with one that is signed now. */
async function byCertificate(
  context: CommandContext,
  options: OptionValues<typeof passwordOptions> &
    LoginWishes & { readonly new: boolean; readonly named: NamedFiles | undefined },
  name: string | undefined,
): Promise<SavedLogin> {
  checkCertificateServer(context);
  const username = parseUsername(await readName(context, name), 'NAME');
  await checkStateBeforeLogin(context);
  const wishes = wishesOf(context, options);
  const files = certificateFilesOf(context, username);
  // What was named stays so: nothing is signed in its place because it is gone for now.
  const named = options.new ? undefined : (options.named ?? (await files.named()));
  if (named) return await logInByKept(context, { username, named, ...wishes });
  const kept = await files.load();
  // Who names a password wants to go by it.
  const isGood = kept && context.host.now() <= kept.expiresAt;
  if (isGood && !(options.new && namesPassword(options, context.host))) {
    try {
      return await logInByKept(context, { username, isNew: options.new, ...wishes });
    } catch (error) {
      // A new one is often wanted because the old one is good no more.
      if (!options.new || !isRefusedCertificate(error) || !canPrompt(context.host)) throw error;
      await context.output.note(error.message);
    }
  }
  checkPasswordSource(options, context.host);
  const password = await readPassword(context, options, false);
  return await withConnection(context, (connection) =>
    logInAndIssue(context, connection, { username, password, ...wishes }),
  );
}

/** What the flags say of a login, which is told as soon as it is there. */
function wishesOf(
  { output }: CommandContext,
  { device, otp, 'recovery-file': recoveryFile }: LoginWishes,
): Omit<LoginRequest, 'username' | 'password'> {
  const onLoggedIn = ({ username, by }: SavedLogin) =>
    output.note(`logged in as ${username}${by === undefined ? '' : ', with a certificate'}`);
  return { device, otp, recoveryFile, onLoggedIn };
}

interface LoginWishes {
  readonly 'recovery-file': string | undefined;
  readonly device: string | undefined;
  readonly otp: string | undefined;
}
